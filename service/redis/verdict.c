#include "redis/verdict.h"

#include "redis/slot.h"

/* "16383" and "65535". */
#define DIGITS_MAX 5

/* What an error starts with. A script's inner error keeps its word in front; what Redis adds stands behind it. */
static const struct {
	span start;
	enum verdict_action action;
} meanings[] = {
    {SPAN_LIT("MOVED"), VERDICT_MOVED},
    {SPAN_LIT("ASK"), VERDICT_ASK},
    {SPAN_LIT("TRYAGAIN"), VERDICT_WAIT},
    {SPAN_LIT("LOADING"), VERDICT_WAIT},
    {SPAN_LIT("BUSY"), VERDICT_WAIT},
    {SPAN_LIT("NOREPLICAS"), VERDICT_WAIT},
    {SPAN_LIT("MASTERDOWN"), VERDICT_WAIT},
    /* Within a script there is neither ASK nor TRYAGAIN. Of the keys declared all were there; another one was not. Until
     * it is again, or the slot has moved as a whole, nobody can run the script. In the words of Redis 7, and of 8, which
     * go on: "mget' in script because undeclared keys were accessed during rehashing of the slot". */
    {SPAN_LIT("ERR Script attempted to access a non local key in a cluster node"), VERDICT_WAIT},
    {SPAN_LIT("ERR Unable to execute command"), VERDICT_WAIT},
    {SPAN_LIT("CLUSTERDOWN"), VERDICT_REFRESH},
    {SPAN_LIT("READONLY"), VERDICT_REFRESH},
    {SPAN_LIT("UNBLOCKED"), VERDICT_REFRESH},
};

static span skip(span s, size_t n)
{
	return span_of(s.ptr + n, s.len - n);
}

/* The bytes before the separator, which leave *rest with it; all of *rest when there is none. */
static span cut(span *rest, uint8_t separator)
{
	const uint8_t *at = rest->len == 0 ? NULL : memchr(rest->ptr, separator, rest->len);
	span head = at == NULL ? *rest : span_of(rest->ptr, (size_t)(at - rest->ptr));

	*rest = skip(*rest, at == NULL ? head.len : head.len + 1);
	return head;
}

static bool read_number(span text, uint32_t max, uint16_t *ret)
{
	uint32_t number = 0;

	if (text.len == 0 || text.len > DIGITS_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		number = number * 10 + (uint32_t)(text.ptr[i] - '0');
	}
	if (number > max)
		return false;
	*ret = (uint16_t)number;
	return true;
}

static bool read_address(span host, span digits, struct address *ret)
{
	uint16_t port;

	if (!read_number(digits, UINT16_MAX, &port) || port == 0)
		return false;
	if (host.len > 0)
		return address_make(host, port, ret);
	*ret = (struct address){.port = port};
	return true;
}

/* "3999 127.0.0.1:6381": what follows the word. IPv6 comes without brackets, so it is the last colon that counts. */
static struct verdict redirection(enum verdict_action action, span rest)
{
	static const struct verdict unreadable = {.action = VERDICT_FINAL};
	struct verdict verdict = {.action = action};
	span slot = cut(&rest, ' ');
	const uint8_t *colon = rest.len == 0 ? NULL : memrchr(rest.ptr, ':', rest.len);
	span host;

	if (colon == NULL || !read_number(slot, SLOTS - 1, &verdict.slot))
		return unreadable;
	host = span_of(rest.ptr, (size_t)(colon - rest.ptr));
	if (span_eq(host, SPAN_LIT("?")))
		return (struct verdict){.action = VERDICT_REFRESH};
	if (!read_address(host, skip(rest, host.len + 1), &verdict.address))
		return unreadable;
	return verdict;
}

/* "LOADING" and "LOADING Redis is...", not "LOADINGS". */
static bool starts_with_words(span text, span words)
{
	return span_starts_with(text, words) && (text.len == words.len || text.ptr[words.len] == ' ');
}

struct verdict verdict_of(const struct store_reply *error)
{
	span text = error->string;

	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		enum verdict_action action = meanings[i].action;

		if (!starts_with_words(text, meanings[i].start))
			continue;
		if (action != VERDICT_MOVED && action != VERDICT_ASK)
			return (struct verdict){.action = action};
		(void)cut(&text, ' ');
		return redirection(action, text);
	}
	return (struct verdict){.action = VERDICT_FINAL};
}
