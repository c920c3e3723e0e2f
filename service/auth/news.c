/* An announcement is format, kind and the key. Names of keys are keyed hashes, so any mixing spreads them, and nobody
 * can aim at a place. */

#include "auth/news.h"

#include <stdatomic.h>
#include <stdlib.h>

#define NEWS_FORMAT 4
enum news_kind { NEWS_FILLED = 1, NEWS_FORGOTTEN = 2 };

/* A thousand keys that are waited for share one by twos, at worst; 192 KiB in all, of which only pages in use are ever
 * backed by memory. */
#define PLACES 16384

struct auth_news {
	_Atomic uint32_t counts[PLACES];
	_Atomic uint64_t forgotten_ms[PLACES]; /* monotonic, and 1: 0 is never */
};

auth_news *auth_news_new(void)
{
	/* Zeroed, which is what every place starts with. */
	return calloc(1, sizeof(auth_news));
}

void auth_news_free(auth_news **n)
{
	free(*n);
	*n = NULL;
}

/* FNV-1a. */
uint32_t auth_news_place(span key)
{
	uint32_t hash = 2166136261U;

	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ key.ptr[i]) * 16777619U;
	return (hash ^ hash >> 16) % PLACES;
}

uint32_t auth_news_count(const auth_news *n, uint32_t place)
{
	return n == NULL ? 0 : atomic_load_explicit(&n->counts[place], memory_order_acquire);
}

void auth_news_forget(auth_news *n, span key, uint64_t mono_ms)
{
	if (n != NULL)
		atomic_store_explicit(&n->forgotten_ms[auth_news_place(key)], mono_ms + 1, memory_order_release);
}

bool auth_news_is_forgotten(const auth_news *n, span key, uint64_t mono_ms)
{
	uint64_t at_ms;

	if (n == NULL)
		return false;
	at_ms = atomic_load_explicit(&n->forgotten_ms[auth_news_place(key)], memory_order_acquire);
	return at_ms > 0 && mono_ms < at_ms + AUTH_FORGOTTEN_MS;
}

void auth_news_hear(auth_news *n, span message, uint64_t mono_ms)
{
	span key;

	if (message.len < 3 || message.ptr[0] != NEWS_FORMAT)
		return;
	key = span_of(message.ptr + 2, message.len - 2);
	if (message.ptr[1] == NEWS_FORGOTTEN)
		auth_news_forget(n, key, mono_ms);
	if (message.ptr[1] == NEWS_FORGOTTEN || message.ptr[1] == NEWS_FILLED)
		(void)atomic_fetch_add_explicit(&n->counts[auth_news_place(key)], 1, memory_order_release);
}
