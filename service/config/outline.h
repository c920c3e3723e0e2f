#ifndef LK_CONFIG_OUTLINE_H
#define LK_CONFIG_OUTLINE_H

#include "config/origin.h"

/* Reads the text once by libyaml's events: its syntax, and where each key and entry stands. Refuses what a schema is
 * not asked about: duplicate keys, aliases, several documents, NULs, depth. Adds to o; *ret_is_empty when there is
 * nothing but comments. */
bool outline_read(struct origins *o, span text, bool *ret_is_empty, struct config_error *error) MUST_CHECK;

#endif
