/* What a test and edgelib.c, preloaded into the program under test, share: a mapped file. */
#pragma once

#include <stdint.h>

enum { kMaxEdges = 1024, kEdgeNameBytes = 48 };

/* An edge is the moment just before or just after a system call that changes something. */
struct edges {
  volatile int32_t kill_at; /* SIGKILL at this one, from 1; 0: never; below 0: it was done */
  volatile int32_t count;   /* Passed since it was set to 0; kMaxEdges at most have a name */
  volatile int32_t killed;
  char names[kMaxEdges][kEdgeNameBytes]; /* "before fdatasync ledger.db-wal" */
};
