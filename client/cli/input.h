#ifndef LK_CLI_INPUT_H
#define LK_CLI_INPUT_H

/* Tokens and attributes, as words of the line or lines of the standard input. What is wrong with them is said here. */

#include "line.h"

bool looks_like_handle(const char *word);

/* A token from the line, or, for "-", from the standard input. Freed by the caller. NULL, and a sentence said: none. */
char *take_token(const char *word);
/* As take_token, where a handle, which is in sight in every list, will not do. `who` needs the token. */
char *take_token_only(const char *word, const char *who);
/* Wipes and frees. */
void free_token(char **token);

/* A secret that the command has printed as hex: the owner of a lock, a lease. */
#define SECRET_BYTES_MAX 128

struct secret {
	char bytes[SECRET_BYTES_MAX];
	size_t len;
};

/* From the line, or, for "-", from the standard input. False, and a sentence said: it is none. `what`: "owner". */
bool take_secret(const char *word, const char *what, struct secret *ret);
void secret_forget(struct secret *secret);
static inline struct lk_bytes secret_bytes(const struct secret *secret)
{
	return lk_bytes_of(secret->bytes, secret->len);
}
/* As hex, of two characters a byte. */
#define SECRET_TEXT_BYTES (2 * SECRET_BYTES_MAX + 1)
const char *secret_text(struct lk_bytes bytes, char to[static SECRET_TEXT_BYTES]);

struct tokens {
	unsigned count;
	char *words[TOKENS_MAX];
	struct lk_bytes bytes[TOKENS_MAX]; /* the same, for a request */
};

/* As take_token_only, of several; a "-" stands for all lines of the standard input. False: a sentence was said, and nothing
 * is to be freed. */
bool take_tokens(const char *const *words, unsigned count, const char *who, struct tokens *ret);
void free_tokens(struct tokens *tokens);

/* K=V. False, and a sentence said: one of them is none, or two have the same key. */
bool take_attributes(const char *const *texts, unsigned count, struct lk_attribute *ret);

#endif
