#ifndef LK_TESTS_RPC_CHECK_H
#define LK_TESTS_RPC_CHECK_H

#include <stdio.h>
#include <stdlib.h>

/* How long a test waits for what ought to come at once: far longer than a loaded machine under sanitizers needs. */
#define CHECK_PATIENCE_S 20

/* For support code, which runs on other threads as well, where cmocka's assertions must not jump. */
#define check(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			(void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                          \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

#endif
