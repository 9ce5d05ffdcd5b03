// One line for each attack, beside doctest's own report: of all cases of `attacks`, and of those that other
// programs have in a test suite of that name.
#include <doctest/doctest.h>

#include <iostream>
#include <string>
#include <string_view>

namespace {

struct OneLineEach : doctest::IReporter {
  explicit OneLineEach(const doctest::ContextOptions&) {}
  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats&) override {}
  void test_case_start(const doctest::TestCaseData& test) override {
    name_ = test.m_name;
    is_attack_ = kAll || std::string_view(test.m_test_suite) == "attacks";
  }
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats& end) override {
    if (!is_attack_) return;
    std::cout << (end.testCaseSuccess ? "ok      " : "FAILED  ") << name_ << std::endl;
  }
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}

 private:
#ifdef OBSERVEAI_ALL_ARE_ATTACKS
  static constexpr bool kAll = true;
#else
  static constexpr bool kAll = false;
#endif
  std::string name_;
  bool is_attack_ = false;
};

DOCTEST_REGISTER_LISTENER("one-line-each", 1, OneLineEach);

}  // namespace
