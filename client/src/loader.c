/* One run of a loader: what it is told, and what it gives. */

#include "loader.h"

#include <stdlib.h>

#include "auth_result.h"
#include "error.h"
#include "wire/ticker.h"

#define ANSWER_BYTES_MAX 32768

uint32_t loader_left_ms(uint64_t deadline_ms)
{
	uint64_t now_ms = wire_now_ms();

	return now_ms < deadline_ms ? (uint32_t)(deadline_ms - now_ms) : 0;
}

struct lk_bytes lk_auth_load_subject(const lk_auth_load *load)
{
	return load->subject;
}

struct lk_bytes lk_auth_load_key(const lk_auth_load *load)
{
	return load->key;
}

uint32_t lk_auth_load_left_ms(const lk_auth_load *load)
{
	return loader_left_ms(load->deadline_ms);
}

void lk_auth_load_set_ttl_ms(lk_auth_load *load, uint32_t ttl_ms)
{
	load->ttl_ms = ttl_ms;
}

void loader_clear(lk_auth_load *load)
{
	if (load->answer != NULL)
		explicit_bzero(load->answer, load->answer_bytes);
	free(load->answer);
	load->answer = NULL;
	load->answer_bytes = 0;
}

enum lk_err lk_auth_load_found(lk_auth_load *load, struct lk_bytes answer)
{
	char *copy;

	if (answer.len > ANSWER_BYTES_MAX)
		return LK_E_INVALID_ARGUMENT;
	/* One byte at least: an empty answer is one. */
	copy = malloc(answer.len + 1);
	if (copy == NULL)
		return LK_E_NO_MEMORY;
	if (answer.len > 0)
		memcpy(copy, answer.data, answer.len);
	loader_clear(load);
	load->answer = copy;
	load->answer_bytes = answer.len;
	load->is_given = true;
	load->is_none = false;
	return LK_OK;
}

enum lk_err lk_auth_load_none(lk_auth_load *load)
{
	loader_clear(load);
	load->is_given = true;
	load->is_none = true;
	return LK_OK;
}

enum lk_err loader_run(lk_auth_load *load, lk_auth_loader loader, void *arg, struct lk_error *error)
{
	enum lk_err err = loader(load, arg);

	if (err == LK_OK && !load->is_given)
		return error_set(error, LK_E_MISUSE,
				 "the loader returned LK_OK without lk_auth_load_found or lk_auth_load_none");
	if (err != LK_OK)
		return error_set(error, err, "the loader could not tell: %s", lk_err_name(err));
	return LK_OK;
}

lk_auth_answer *loader_answer(const lk_auth_load *load, uint64_t expires_at_ms)
{
	const struct auth_parts parts = {
	    .state = load->is_none ? LK_AUTH_NEGATIVE : LK_AUTH_HIT,
	    .bytes = lk_bytes_of(load->answer, load->answer_bytes),
	    .expires_at_ms = expires_at_ms,
	    .is_loaded = true,
	};

	return auth_answer_new(&parts);
}
