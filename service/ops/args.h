#ifndef LK_OPS_ARGS_H
#define LK_OPS_ARGS_H

#include <stdint.h>

enum args_action {
	ARGS_RUN,
	ARGS_CHECK_CONFIG,
	ARGS_PRINT_CONFIG,
	ARGS_PRINT_METRICS,
	ARGS_PRINT_SCHEMA,
	ARGS_NEW_KEYRING,
	ARGS_ADD_KEY,
	ARGS_PROMOTE_KEY
};

struct args {
	enum args_action action;
	const char *config_file; /* NULL: not named */
	const char *keyring;	 /* NEW_KEYRING, ADD_KEY, PROMOTE_KEY: to write */
	uint16_t key;		 /* PROMOTE_KEY: its number */
};

/* Parses latchkeyd's command line. Ends the program itself for --help and --version (0) and for bad usage (2). */
struct args args_parse(int argc, char **argv);

#endif
