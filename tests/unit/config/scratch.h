#ifndef LK_TESTS_CONFIG_SCRATCH_H
#define LK_TESTS_CONFIG_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config.h"

/* A folder with one configuration file, for one load. */
struct scratch {
	char folder[64];
	char file[96];
};

void scratch_make(struct scratch *s);
void scratch_remove(struct scratch *s);
void scratch_write(const struct scratch *s, const void *text, size_t len);

/* An environment with a home and no LATCHKEY_ variable. */
extern char *plain_environment[];

/* Loads yaml (NULL: no file); fails the test when it is refused. The caller frees. */
struct config *load_ok(const char *yaml, char *const *environment);

/* What config_print writes; the caller frees. */
char *printed(const struct config *c);

#endif
