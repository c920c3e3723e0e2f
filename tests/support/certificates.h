#ifndef LK_SUPPORT_CERTIFICATES_H
#define LK_SUPPORT_CERTIFICATES_H

#include "support/tmpdir.h"

/* Names in the server's certificate, besides the address 127.0.0.1. Debian 12's mbedTLS knows no addresses in
 * certificates: who dials 127.0.0.1 gives one of these as the server's name. */
#define CERTIFICATE_NAME       "localhost"
#define CERTIFICATE_OTHER_NAME "redis.latchkey.test"

/* An authority and two certificates signed by it, as PEM files made by the openssl command. */
struct certificates {
	char ca[TMPDIR_FILE_BYTES];
	char ca_key[TMPDIR_FILE_BYTES];
	char server[TMPDIR_FILE_BYTES];
	char server_key[TMPDIR_FILE_BYTES];
	char client[TMPDIR_FILE_BYTES];
	char client_key[TMPDIR_FILE_BYTES];
};

/* In the folder, which the caller removes. */
void certificates_make(struct certificates *c, const struct tmpdir *dir);

/* Another certificate and key by the same authority, with the server's names, at these paths. */
void certificates_sign(const struct certificates *c, const char *cert, const char *key);

/* The same, but it has expired long ago. Leaves files of openssl's beside them. */
void certificates_sign_expired(const struct certificates *c, const char *cert, const char *key);

#endif
