/* The example program does what it says, against the real service. */

#include <stdio.h>

#include "support/scene.h"
#include "support/wait.h"

static void test_login_example(void **state)
{
	struct run_result r;
	struct scene scene;

	(void)state;
	scene_open(&scene, NULL, NULL);
	run_capture((const char *const[]){EXAMPLE_LOGIN, scene.service.url, NULL}, NULL, NULL, BOUND_MS, &r);
	if (r.status != 0)
		fail_msg("status %d\nout: %s\nerr: %s", r.status, r.out, r.err);
	run_result_free(&r);
	scene_close(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_login_example)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
