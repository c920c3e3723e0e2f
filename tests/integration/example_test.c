/* The example programs do what they say, against the real service. */

#include <stdio.h>

#include "support/scene.h"
#include "support/wait.h"

/* One of them writes behind. */
static const char config[] = "realms:\n"
			     "  - name: default\n"
			     "    profiles: { changes: true }\n"
			     "    classes:\n"
			     "      - { name: default }\n";

static void run_example(const char *program)
{
	struct run_result r;
	struct scene scene;

	scene_open(&scene, config, NULL);
	/* Whoever tries one tries it again: what the first run left must not be in the way. */
	for (int i = 0; i < 2; i++) {
		run_capture((const char *const[]){program, scene.service.url, NULL}, NULL, NULL, BOUND_MS, &r);
		if (r.status != 0)
			fail_msg("run %d, status %d\nout: %s\nerr: %s", i + 1, r.status, r.out, r.err);
		run_result_free(&r);
	}
	scene_close(&scene);
}

static void test_login_example(void **state)
{
	(void)state;
	run_example(EXAMPLE_LOGIN);
}

static void test_step_up_example(void **state)
{
	(void)state;
	run_example(EXAMPLE_STEP_UP);
}

static void test_patterns_of_reading(void **state)
{
	(void)state;
	run_example(EXAMPLE_PATTERNS_READ);
}

static void test_patterns_of_writing(void **state)
{
	(void)state;
	run_example(EXAMPLE_PATTERNS_WRITE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_login_example),
	    cmocka_unit_test(test_step_up_example),
	    cmocka_unit_test(test_patterns_of_reading),
	    cmocka_unit_test(test_patterns_of_writing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
