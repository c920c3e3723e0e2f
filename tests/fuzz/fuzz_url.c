/* A store's URL, as an operator may mistype it. */

#include <stdlib.h>
#include <string.h>

#include "redis/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

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
	if (redis_url_parse(text, &url, &st) == STATUS_OK)
		redis_url_wipe(&url);
	free(text);
	return 0;
}
