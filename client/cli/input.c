#include "input.h"

#include <stdio.h>
#include <stdlib.h>

#include "usage.h"

/* A handle: 11 characters of base64url, a dot, 16 more. No token has a dot. */
#define HANDLE_CHARS  28
#define HANDLE_DOT_AT 11
#define BASE64URL     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

bool looks_like_handle(const char *word)
{
	return strlen(word) == HANDLE_CHARS && strspn(word, BASE64URL) == HANDLE_DOT_AT && word[HANDLE_DOT_AT] == '.' &&
	       word[HANDLE_DOT_AT + 1 + strspn(word + HANDLE_DOT_AT + 1, BASE64URL)] == '\0';
}

/* The next line of the standard input. NULL: there is none. */
static char *read_token(void)
{
	size_t room = 0;
	char *token = NULL;
	ssize_t len = getline(&token, &room, stdin);

	if (len <= 0) {
		free(token);
		return NULL;
	}
	token[strcspn(token, "\r\n")] = '\0';
	return token;
}

char *take_token(const char *word)
{
	char *token;

	if (strcmp(word, "-") != 0)
		return strdup(word);
	token = read_token();
	if (token == NULL)
		(void)usage_error("no token on the standard input");
	return token;
}

void free_token(char **token)
{
	if (*token != NULL)
		explicit_bzero(*token, strlen(*token));
	free(*token);
	*token = NULL;
}

static int digit_of(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

static bool read_hex(const char *text, struct secret *to)
{
	size_t chars = strlen(text);

	if (chars == 0 || chars % 2 != 0 || chars / 2 > SECRET_BYTES_MAX)
		return false;
	for (size_t i = 0; i < chars / 2; i++) {
		int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		to->bytes[i] = (char)(high << 4 | low);
	}
	to->len = chars / 2;
	return true;
}

bool take_secret(const char *word, const char *what, struct secret *ret)
{
	char *text = take_token(word);
	bool is_hex;

	if (text == NULL)
		return false;
	is_hex = read_hex(text, ret);
	free_token(&text);
	if (!is_hex)
		(void)usage_error("this is no %s: it is in hex, as the command has printed it", what);
	return is_hex;
}

void secret_forget(struct secret *secret)
{
	explicit_bzero(secret, sizeof(*secret));
}

const char *secret_text(struct lk_bytes bytes, char to[static SECRET_TEXT_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	size_t len = bytes.len < SECRET_BYTES_MAX ? bytes.len : SECRET_BYTES_MAX;

	for (size_t i = 0; i < len; i++) {
		to[2 * i] = digits[(unsigned char)bytes.data[i] >> 4];
		to[2 * i + 1] = digits[(unsigned char)bytes.data[i] & 15];
	}
	to[2 * len] = '\0';
	return to;
}

/* True, and a sentence said: it is a handle, which is in sight in every list and will not do. */
static bool is_wrong(const char *token, const char *who)
{
	if (!looks_like_handle(token))
		return false;
	(void)usage_error("%s: this is a handle; revoke takes it, %s needs the token", token, who);
	return true;
}

char *take_token_only(const char *word, const char *who)
{
	char *token = take_token(word);

	if (token != NULL && is_wrong(token, who))
		free_token(&token);
	return token;
}

static bool add_token(struct tokens *tokens, char *token, const char *who)
{
	if (is_wrong(token, who)) {
		free_token(&token);
		return false;
	}
	if (tokens->count == TOKENS_MAX) {
		free_token(&token);
		(void)usage_error("more than %d tokens for %s at once", TOKENS_MAX, who);
		return false;
	}
	tokens->words[tokens->count] = token;
	tokens->bytes[tokens->count++] = lk_text(token);
	return true;
}

/* All lines of the standard input. */
static bool read_tokens(struct tokens *tokens, const char *who)
{
	unsigned before = tokens->count;
	char *token;

	while ((token = read_token()) != NULL)
		if (!add_token(tokens, token, who))
			return false;
	if (tokens->count == before)
		(void)usage_error("no token on the standard input");
	return tokens->count > before;
}

bool take_tokens(const char *const *words, unsigned count, const char *who, struct tokens *ret)
{
	bool taken = true;

	ret->count = 0;
	for (unsigned i = 0; i < count && taken; i++)
		taken = strcmp(words[i], "-") == 0 ? read_tokens(ret, who) : add_token(ret, strdup(words[i]), who);
	if (!taken)
		free_tokens(ret);
	return taken;
}

void free_tokens(struct tokens *tokens)
{
	while (tokens->count > 0)
		free_token(&tokens->words[--tokens->count]);
}

/* "K=V" as an attribute that borrows from it. */
static bool take_attribute(const char *text, struct lk_attribute *ret)
{
	const char *equals = strchr(text, '=');

	if (equals == NULL || equals == text)
		return false;
	ret->key = lk_bytes_of(text, (size_t)(equals - text));
	ret->value = lk_text(equals + 1);
	return true;
}

static bool is_same(struct lk_bytes a, struct lk_bytes b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* False, and a sentence said: one of them is none, or two have the same key. */
bool take_attributes(const char *const *texts, unsigned count, struct lk_attribute *ret)
{
	for (unsigned i = 0; i < count; i++) {
		if (!take_attribute(texts[i], &ret[i])) {
			(void)usage_error("\"%s\" is not an attribute of the form K=V", texts[i]);
			return false;
		}
		for (unsigned j = 0; j < i; j++) {
			if (!is_same(ret[i].key, ret[j].key))
				continue;
			(void)usage_error("the attribute \"%.*s\" is given twice", (int)ret[i].key.len,
					  ret[i].key.data);
			return false;
		}
	}
	return true;
}
