/* A thousand threads of three processes want one cold key, over two instances: it is loaded once; and when the process
 * that loads dies, once more, after its lease. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/file.h"
#include "support/scene.h"
#include "support/wait.h"

#define PROCESSES 3
#define THREADS	  "334"
/* Longer than this test may take on the slowest machine: no lease ends while somebody loads. */
#define LONG_LEASE_MS "60000"
#define LEASE_MS      2000
#define CROWD_MS      120000

static struct scene scene;
static struct latchkeyd other;
static struct tmpdir dir;

static int open_all(void **state)
{
	(void)state;
	scene_open(&scene, NULL, NULL);
	scene_add(&scene, NULL, scene.redis.url, &other);
	tmpdir_make(&dir);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	latchkeyd_end(&other);
	scene_close(&scene);
	tmpdir_remove(&dir);
	return 0;
}

static void start(struct process *process, const char *log, const char *key, const char *threads, const char *lease_ms,
		  const char *pause, const char *output)
{
	const char *const argv[] = {SINGLE_FLIGHT_CROWD, log,	    key, threads, lease_ms, pause,
				    scene.service.url,	 other.url, NULL};

	process_spawn(process, &(struct process_spec){.argv = argv, .output_path = output});
}

/* *ret_last_ms, which may be NULL: when it was loaded last. */
static unsigned count_loads(const char *log, uint64_t *ret_last_ms)
{
	char *text = file_read(log, NULL);
	unsigned count = 0;

	for (char *at = text; *at != '\0'; count++) {
		uint64_t at_ms = strtoull(at, &at, 10);

		if (ret_last_ms != NULL)
			*ret_last_ms = at_ms;
		assert_int_equal(*at++, '\n');
	}
	free(text);
	return count;
}

/* Three processes, each thread of which has the answer at the end. */
static void want_all(const char *log, const char *key, const char *lease_ms)
{
	char output[PROCESSES][TMPDIR_FILE_BYTES];
	struct process crowd[PROCESSES];

	for (unsigned i = 0; i < PROCESSES; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%s-%u", key, i);
		tmpdir_file(&dir, name, output[i]);
		start(&crowd[i], log, key, THREADS, lease_ms, "200", output[i]);
	}
	for (unsigned i = 0; i < PROCESSES; i++) {
		int status = -1;
		char *said;

		assert_true(process_wait(&crowd[i], CROWD_MS, &status));
		said = file_read(output[i], NULL);
		if (status != 0 || strcmp(said, THREADS "\n") != 0)
			fail_msg("process %u: status %d, and it says: %s", i, status, said);
		free(said);
	}
}

static void a_cold_key_is_loaded_once(void **state)
{
	char log[TMPDIR_FILE_BYTES];

	(void)state;
	tmpdir_file(&dir, "cold.log", log);
	want_all(log, "cold", LONG_LEASE_MS);
	assert_int_equal(count_loads(log, NULL), 1);
}

static void after_a_dead_loader_it_is_loaded_once_more(void **state)
{
	char log[TMPDIR_FILE_BYTES], output[TMPDIR_FILE_BYTES];
	uint64_t started_ms = now_mono_ms(), loaded_ms = 0;
	struct process dying;
	char lease_ms[16];
	int status = -1;

	(void)state;
	tmpdir_file(&dir, "dead.log", log);
	tmpdir_file(&dir, "dead.out", output);
	snprintf(lease_ms, sizeof(lease_ms), "%d", LEASE_MS);
	start(&dying, log, "dead", "1", lease_ms, "die", output);
	assert_true(process_wait(&dying, CROWD_MS, &status));
	assert_int_equal(status, 0);
	assert_int_equal(count_loads(log, NULL), 1);
	want_all(log, "dead", LONG_LEASE_MS);
	assert_int_equal(count_loads(log, &loaded_ms), 2);
	/* The lease was given after the start, so it ended no earlier than this. */
	assert_true(loaded_ms >= started_ms + LEASE_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_cold_key_is_loaded_once),
					   cmocka_unit_test(after_a_dead_loader_it_is_loaded_once_more)};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
