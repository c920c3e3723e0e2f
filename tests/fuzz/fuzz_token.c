/* A token as anybody may present it: as it comes, and as changes to a good one. None but the good one is believed. */

#include "fuzz_keys.h"
#include "session/handle.h"
#include "session/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define NOW_MS 1800000000000U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static keyring *keys;
	static char good[TOKEN_CHARS];
	const span realm = SPAN_LIT("default");
	char changed[TOKEN_CHARS];
	struct token t;
	struct handle h;

	if (keys == NULL) {
		uint8_t bytes[TOKEN_BYTES];

		keys = fuzz_keys();
		token_write(keys, realm,
			    &(struct token){.key_id = keyring_first_id(keys),
					    .created_s = NOW_MS / 1000,
					    .lifetime_s = 3600,
					    .idle_timeout_s = 60},
			    bytes);
		token_print(bytes, good);
	}
	if (token_parse(keys, realm, span_of(data, len), NOW_MS, &t) == REASON_NONE)
		abort();
	(void)!handle_parse(span_of(data, len), &h);

	memcpy(changed, good, sizeof(changed));
	for (size_t i = 0; i + 1 < len; i += 2)
		changed[data[i] % TOKEN_CHARS] = (char)data[i + 1];
	if (token_parse(keys, realm, span_of(changed, sizeof(changed)), NOW_MS, &t) == REASON_NONE &&
	    memcmp(changed, good, sizeof(good)) != 0)
		abort();
	return 0;
}
