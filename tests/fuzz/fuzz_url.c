/* A store's URL, as an operator may mistype it: refused, or made of hosts that can be dialed. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "redis/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(const struct redis_url *url)
{
	bool has_hosts = url->mode == REDIS_STANDALONE || url->mode == REDIS_SENTINEL || url->mode == REDIS_CLUSTER;

	assert(url->seed_count <= URL_SEEDS_MAX && (url->seed_count > 0) == has_hosts);
	for (size_t i = 0; i < url->seed_count; i++) {
		struct address again;

		assert(address_make(span_str(url->seeds[i].host), url->seeds[i].port, &again));
		for (size_t j = 0; j < i; j++)
			assert(!address_eq(&url->seeds[i], &url->seeds[j]));
	}
	assert((url->primary_name[0] != '\0') == (url->mode == REDIS_SENTINEL));
	assert(url->mode != REDIS_CLUSTER || url->db == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);
	struct redis_url url;
	struct status st;

	if (text == NULL)
		abort();
	if (len > 0)
		memcpy(text, data, len);
	text[len] = '\0';
	if (redis_url_parse(text, &url, &st) == STATUS_OK) {
		check(&url);
		redis_url_wipe(&url);
	}
	free(text);
	return 0;
}
