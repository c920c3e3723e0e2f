#ifndef LK_TESTS_KEYFILE_OF_TEST_H
#define LK_TESTS_KEYFILE_OF_TEST_H

#include "crypto/keyring.h"

/* Bytes 0..31, 32..63 and 64..95. */
#define NAMES_LINE "names AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n"
#define KEY_1_LINE "1 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8\n"
#define KEY_2_LINE "2 QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8\n"

/* Loads a file of this text, with this mode, from a temporary folder. */
enum status_code load_text(span text, unsigned mode, keyring **ret, struct status *st);

/* Fails the test when it does not load. */
keyring *load_good(const char *text);

#endif
