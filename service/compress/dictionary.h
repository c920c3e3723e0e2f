#ifndef LK_COMPRESS_DICTIONARY_H
#define LK_COMPRESS_DICTIONARY_H

/* Dictionary number 1, for this folder only: what is stored names it by its number (session/packing.c), so it never
 * changes; a better one gets the next number, and both are kept.
 *
 * Made by `zstd --train --maxdict=4096` (1.5.4) of 12,000 invented texts: half of them metadata of sessions, with the
 * names by which browsers of 2024 and 2025 go and a few other clients; half of them sets of three to nine attributes as
 * applications keep them: OpenID Connect claims, roles, permissions, tokens against request forgery, carts, preferences.
 * Twice the size gains nothing more; half of it loses a twelfth. */

#include <stdint.h>

#define DICTIONARY_BYTES 4096

extern const uint8_t dictionary[DICTIONARY_BYTES];

#endif
