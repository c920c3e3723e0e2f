/* The page of metrics: what it says, and that Prometheus can read it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/exposition.h"
#include "base/call_metrics.h"
#include "base/catalog.h"
#include "base/metrics.h"
#include "stand_in.h"
#include "support/http.h"
#include "support/process.h"
#include "support/wait.h"

/* The test frees it. */
static char *page_of(struct stand_in *s)
{
	const struct admin_source source = stand_in_source(s);
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_true(exposition_write(&source, out));
	assert_int_equal(fclose(out), 0);
	return text;
}

static void assert_line(const char *page, const char *line)
{
	const char *at = strstr(page, line);

	if (at == NULL || (at > page && at[-1] != '\n') || at[strlen(line)] != '\n')
		fail_msg("no line \"%s\" in:\n%s", line, page);
}

static void test_every_row_is_told(void **state)
{
	struct stand_in s = stand_in_well;
	char *page = page_of(&s);
	const struct catalog_row *row;
	char line[1024];

	(void)state;
	for (size_t i = 0; (row = catalog_at(i)) != NULL; i++) {
		snprintf(line, sizeof(line), "# HELP %s %s", row->name, row->help);
		assert_line(page, line);
		snprintf(line, sizeof(line), "# TYPE %s %s", row->name, row->type);
		assert_line(page, line);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(catalog_at(j)->name, row->name);
	}
	free(page);
}

static void test_calls(void **state)
{
	struct stand_in s = stand_in_well;
	char *page;

	(void)state;
	call_metric_add(1, STATUS_OK, 100);
	call_metric_add(1, STATUS_OK, 101);
	call_metric_add(1, STATUS_UNAVAILABLE, 40000000);
	page = page_of(&s);
	assert_line(page, "latchkey_calls_answered_total{method=\"/test.v1.Test/Get\",code=\"OK\"} 2");
	assert_line(page, "latchkey_calls_answered_total{method=\"/test.v1.Test/Get\",code=\"UNAVAILABLE\"} 1");
	assert_line(page, "latchkey_call_duration_seconds_bucket{method=\"/test.v1.Test/Get\",le=\"0.0001\"} 1");
	assert_line(page, "latchkey_call_duration_seconds_bucket{method=\"/test.v1.Test/Get\",le=\"0.00025\"} 2");
	assert_line(page, "latchkey_call_duration_seconds_bucket{method=\"/test.v1.Test/Get\",le=\"30\"} 2");
	assert_line(page, "latchkey_call_duration_seconds_bucket{method=\"/test.v1.Test/Get\",le=\"+Inf\"} 3");
	assert_line(page, "latchkey_call_duration_seconds_sum{method=\"/test.v1.Test/Get\"} 40.000201");
	assert_line(page, "latchkey_call_duration_seconds_count{method=\"/test.v1.Test/Get\"} 3");
	assert_null(strstr(page, "method=\"none\""));
	free(page);
}

static void test_realms_of_which_nothing_is_known(void **state)
{
	struct stand_in s = stand_in_well;
	char *page;

	(void)state;
	s.realms[1] = "busy";
	realm_metric_add(REALM_METRIC_AUTH_HITS, 1, 5);
	page = page_of(&s);
	assert_line(page, "latchkey_auth_hits_total{realm=\"busy\"} 5");
	assert_line(page, "latchkey_auth_stale_total{realm=\"busy\"} 0");
	assert_null(strstr(page, "realm=\"default\""));
	free(page);
}

/* One series twice, or a quote in a label, and Prometheus takes nothing of the page. */
static void test_odd_names_of_nodes(void **state)
{
	struct stand_in s = stand_in_well;
	char *page;

	(void)state;
	s.node_count = 3;
	s.nodes[1] = s.nodes[0];
	s.nodes[1].commands = 77;
	s.nodes[2] = s.nodes[0];
	snprintf(s.nodes[2].address, sizeof(s.nodes[2].address), "/run/a \"b\\c\nd");
	s.nodes[2].has_lag = true;
	s.nodes[2].lag_ms = 1500;
	page = page_of(&s);
	assert_line(page, "latchkey_redis_node_commands_total{node=\"127.0.0.1:6379\"} 0");
	assert_null(strstr(page, "77"));
	assert_line(page, "latchkey_redis_node_lag_seconds{node=\"/run/a \\\"b\\\\c\\nd\"} 1.500");
	assert_line(page, "latchkey_redis_nodes{role=\"primary\",state=\"serving\"} 2");
	free(page);
}

static void test_promtool_takes_it(void **state)
{
	const char *const argv[] = {"promtool", "check", "metrics", NULL};
	struct stand_in s = stand_in_well;
	struct run_result r;
	char *page;

	(void)state;
	if (system("command -v promtool >/dev/null") != 0) {
		print_message("skipped: no promtool here (apt-get install prometheus)\n");
		skip();
	}
	page = page_of(&s);
	run_capture(argv, NULL, page, BOUND_MS, &r);
	if (r.status != 0 || r.out_len > 0 || r.err_len > 0)
		fail_msg("promtool: %d\n%s%s", r.status, r.out, r.err);
	run_result_free(&r);
	free(page);
}

/* docs/metrics.md is what --print-metrics prints. */
static void test_the_page_in_the_docs(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	FILE *f = fopen("docs/metrics.md", "r");
	static char shown[256 * 1024];
	size_t read;

	(void)state;
	assert_non_null(f);
	read = fread(shown, 1, sizeof(shown), f);
	fclose(f);
	assert_true(catalog_print(out));
	fclose(out);
	if (read != len || memcmp(text, shown, len) != 0)
		fail_msg("docs/metrics.md is not what is counted: latchkeyd --print-metrics > docs/metrics.md");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_row_is_told),
	    cmocka_unit_test(test_calls),
	    cmocka_unit_test(test_realms_of_which_nothing_is_known),
	    cmocka_unit_test(test_odd_names_of_nodes),
	    cmocka_unit_test(test_promtool_takes_it),
	    cmocka_unit_test(test_the_page_in_the_docs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
