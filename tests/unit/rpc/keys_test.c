/* The keyring changes under a server with calls in flight: each frame ends with the one it began with. And what the
 * server tells of its keys. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/clock.h"
#include "support/check.h"
#include "support/fixture.h"

static int start(void **state)
{
	const struct rpc_options options = fixture_options();

	*state = fixture_start(&options);
	return 0;
}

static int stop(void **state)
{
	struct fixture *f = *state;

	fixture_stop(&f);
	return 0;
}

/* As main does it. */
static void reload(struct fixture *f)
{
	keyring *new = NULL;
	struct status st;

	check(keyring_reload(f->keys, f->keyring, clock_wall_ms(), &new, &st) == STATUS_OK);
	rpc_server_use_keys(f->server, new);
	keyring_release(&f->keys);
	f->keys = new;
}

static void promote_a_new_key(struct fixture *f)
{
	struct status st;
	uint16_t id;

	assert_int_equal(keyring_add_key(f->keyring, &id, &st), STATUS_OK);
	reload(f);
	assert_int_equal(keyring_promote_key(f->keyring, id, &st), STATUS_OK);
	reload(f);
}

/* Takes the key's line out of the file. */
static void retire(struct fixture *f, const char *number)
{
	char text[2048] = "";
	FILE *file = fopen(f->keyring, "r");
	char *line;
	char *end;

	assert_non_null(file);
	(void)!fread(text, 1, sizeof(text) - 1, file);
	(void)fclose(file);
	line = strstr(text, number);
	assert_non_null(line);
	end = strchr(++line, '\n') + 1;
	memmove(line, end, strlen(end) + 1);
	file = fopen(f->keyring, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	(void)fclose(file);
	reload(f);
}

static void a_frame_ends_with_the_keyring_that_it_began_with(void **state)
{
	struct fixture *f = *state;
	struct minted m = fixture_mint(f, 100);
	const uint32_t before = fixture_get(f, m.token, 0);
	struct store_op *op = scripted_take(&f->script);

	promote_a_new_key(f);
	retire(f, "\n1 ");
	fixture_expect_verdict(f, fixture_get(f, m.token, 0), LATCHKEY__V1__VERDICT__INVALID,
			       LATCHKEY__V1__REASON__RETIRED_KEY);
	scripted_string(op, span_of(m.record.data, m.record.len));
	fixture_expect_verdict(f, before, LATCHKEY__V1__VERDICT__VALID, LATCHKEY__V1__REASON__REASON_NONE);
	minted_free(&m);
}

static Latchkey__V1__ServerKeysResponse *ask_keys(struct fixture *f)
{
	Latchkey__V1__ServerKeysResponse *keys;
	Latchkey__V1__ReplyFrame *frame;

	assert_int_equal(ask_one(f, "/latchkey.v1.Server/Keys", NULL, &frame), LATCHKEY__V1__CODE__OK);
	keys = body_of(frame->replies[0], &latchkey__v1__server_keys_response__descriptor);
	reply_free(&frame);
	return keys;
}

static void get_valid(struct fixture *f, const struct minted *m)
{
	const uint32_t id = fixture_get(f, m->token, 0);

	scripted_string(scripted_take(&f->script), span_of(m->record.data, m->record.len));
	fixture_expect_verdict(f, id, LATCHKEY__V1__VERDICT__VALID, LATCHKEY__V1__REASON__REASON_NONE);
}

static void the_server_tells_what_it_meets_under_each_key(void **state)
{
	struct fixture *f = *state;
	struct minted one = fixture_mint(f, 100);
	struct minted two;
	Latchkey__V1__ServerKeysResponse *keys = ask_keys(f);

	assert_int_equal(keys->n_keys, 1);
	assert_true(keys->keys[0]->first);
	assert_int_equal(keys->keys[0]->tokens, 0);
	assert_int_equal(keys->keys[0]->last_used_at_ms, 0);
	assert_true(keys->loaded_at_ms > 0);
	body_free(keys);

	get_valid(f, &one);
	promote_a_new_key(f);
	two = fixture_mint(f, 100);
	get_valid(f, &one);
	get_valid(f, &two);
	keys = ask_keys(f);
	assert_int_equal(keys->n_keys, 2);
	assert_int_equal(keys->keys[0]->id, 2);
	assert_true(keys->keys[0]->first && !keys->keys[0]->retired);
	assert_int_equal(keys->keys[0]->tokens, 1);
	assert_int_equal(keys->keys[0]->records, 1);
	assert_int_equal(keys->keys[0]->first_until_ms, 0);
	assert_int_equal(keys->keys[1]->id, 1);
	assert_false(keys->keys[1]->first);
	assert_int_equal(keys->keys[1]->tokens, 2);
	assert_int_equal(keys->keys[1]->records, 2);
	assert_true(keys->keys[1]->last_used_at_ms > 0);
	assert_true(keys->keys[1]->first_until_ms > 0);
	body_free(keys);

	retire(f, "\n1 ");
	keys = ask_keys(f);
	assert_int_equal(keys->n_keys, 2);
	assert_int_equal(keys->keys[1]->id, 1);
	assert_true(keys->keys[1]->retired);
	body_free(keys);
	minted_free(&one);
	minted_free(&two);
}

#define RELOADS 200

static span stored;

static void answer_stored(struct store_op *op)
{
	scripted_string(op, stored);
}

static void *reload_many(void *arg)
{
	struct fixture *f = arg;

	for (int i = 0; i < RELOADS; i++) {
		struct status st;

		check(keyring_promote_key(f->keyring, (uint16_t)(1 + i % 2), &st) == STATUS_OK);
		reload(f);
	}
	return NULL;
}

static void reloads_race_with_calls(void **state)
{
	struct fixture *f = *state;
	struct minted m = fixture_mint(f, 100);
	Latchkey__V1__ServerKeysResponse *keys;
	pthread_t thread;
	unsigned gets = 0;

	promote_a_new_key(f);
	stored = span_of(m.record.data, m.record.len);
	f->script.at_once = answer_stored;
	assert_int_equal(pthread_create(&thread, NULL, reload_many, f), 0);
	do {
		fixture_expect_verdict(f, fixture_get(f, m.token, 0), LATCHKEY__V1__VERDICT__VALID,
				       LATCHKEY__V1__REASON__REASON_NONE);
		gets++;
	} while (pthread_tryjoin_np(thread, NULL) != 0);
	keys = ask_keys(f);
	assert_int_equal(keys->n_keys, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(keys->keys[i]->tokens, keys->keys[i]->id == 1 ? gets : 0);
	body_free(keys);
	minted_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_frame_ends_with_the_keyring_that_it_began_with, start, stop),
	    cmocka_unit_test_setup_teardown(the_server_tells_what_it_meets_under_each_key, start, stop),
	    cmocka_unit_test_setup_teardown(reloads_race_with_calls, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
