#pragma once
#include <cstdlib>
#ifdef DEBUG_FORECAST
#define TUNE(name, value) ([]() -> double { static const double v = std::getenv(name) ? std::atof(std::getenv(name)) : (value); return v; }())
#else
#define TUNE(name, value) (value)
#endif
