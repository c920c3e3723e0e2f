/* redis: the servers behind the service, as a table. Columns are as wide as what is in them. */

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include <latchkey/admin.h>

#include "report.h"
#include "text.h"
#include "verbs.h"

#define COLUMNS_MAP(X)                                                                                                 \
	X(ADDRESS, "ADDRESS")                                                                                          \
	X(ROLE, "ROLE")                                                                                                \
	X(STATE, "STATE")                                                                                              \
	X(SLOTS, "SLOTS")                                                                                              \
	X(VERSION, "VERSION")                                                                                          \
	X(CONNECTIONS, "CONNECTIONS")                                                                                  \
	X(IN_FLIGHT, "IN-FLIGHT")                                                                                      \
	X(LAG, "LAG")                                                                                                  \
	X(BREAKER, "BREAKER")                                                                                          \
	X(ERRORS, "ERRORS")                                                                                            \
	X(RECONNECTS, "RECONNECTS")

enum column {
#define X(id, title) COLUMN_##id,
	COLUMNS_MAP(X)
#undef X
	    COLUMNS
};

/* Room for the longest address, 255 bytes of host and a port, or a socket's path; what is longer is cut. */
#define CELL_BYTES 288

struct row {
	char cells[COLUMNS][CELL_BYTES];
};

static void write_text(struct row *row, enum column column, const char *text)
{
	(void)snprintf(row->cells[column], CELL_BYTES, "%s", text[0] != '\0' ? text : "-");
}

static void write_number(struct row *row, enum column column, uint64_t number)
{
	(void)snprintf(row->cells[column], CELL_BYTES, "%" PRIu64, number);
}

static void write_titles(struct row *row)
{
#define X(id, title) write_text(row, COLUMN_##id, title);
	COLUMNS_MAP(X)
#undef X
}

static void write_node(struct row *row, const lk_redis_node *node)
{
	uint64_t lag_ms;

	write_text(row, COLUMN_ADDRESS, lk_redis_node_address(node));
	write_text(row, COLUMN_ROLE, lk_redis_node_role(node));
	write_text(row, COLUMN_STATE, lk_redis_node_state(node));
	write_number(row, COLUMN_SLOTS, lk_redis_node_slots(node));
	write_text(row, COLUMN_VERSION, lk_redis_node_version(node));
	if (lk_redis_node_connections(node) > 0)
		(void)snprintf(row->cells[COLUMN_CONNECTIONS], CELL_BYTES, "%" PRIu32 "/%" PRIu32,
			       lk_redis_node_connections_ready(node), lk_redis_node_connections(node));
	else
		write_text(row, COLUMN_CONNECTIONS, "");
	write_number(row, COLUMN_IN_FLIGHT, lk_redis_node_in_flight(node));
	if (lk_redis_node_lag_ms(node, &lag_ms))
		(void)snprintf(row->cells[COLUMN_LAG], CELL_BYTES, "%" PRIu64 " ms", lag_ms);
	else
		write_text(row, COLUMN_LAG, "");
	write_text(row, COLUMN_BREAKER, lk_redis_node_breaker(node));
	write_number(row, COLUMN_ERRORS, lk_redis_node_errors(node));
	write_number(row, COLUMN_RECONNECTS, lk_redis_node_reconnects(node));
}

static void widen(int widths[static COLUMNS], const struct row *row)
{
	for (size_t i = 0; i < COLUMNS; i++) {
		int columns = text_columns(lk_text(row->cells[i]));

		widths[i] = columns > widths[i] ? columns : widths[i];
	}
}

static void print_row(const int widths[static COLUMNS], const struct row *row)
{
	for (size_t i = 0; i < COLUMNS; i++) {
		int printed = text_print(stdout, lk_text(row->cells[i]), INT_MAX);

		/* No blanks at the end of a line. */
		if (i + 1 < COLUMNS)
			(void)printf("%*s  ", widths[i] - printed, "");
	}
	(void)putchar('\n');
}

static void print_table(const lk_redis_status *status)
{
	const size_t count = lk_redis_status_node_count(status);
	int widths[COLUMNS] = {0};
	struct row row;

	if (count == 0)
		return;
	write_titles(&row);
	widen(widths, &row);
	for (size_t i = 0; i < count; i++) {
		write_node(&row, lk_redis_status_node(status, i));
		widen(widths, &row);
	}
	write_titles(&row);
	print_row(widths, &row);
	for (size_t i = 0; i < count; i++) {
		write_node(&row, lk_redis_status_node(status, i));
		print_row(widths, &row);
	}
}

/* What keeps servers from being reached: a wrong password, a certificate. */
static void print_errors(const lk_redis_status *status)
{
	for (size_t i = 0; i < lk_redis_status_node_count(status); i++) {
		const lk_redis_node *node = lk_redis_status_node(status, i);

		if (lk_redis_node_error(node)[0] == '\0')
			continue;
		(void)text_print(stdout, lk_text(lk_redis_node_address(node)), CELL_BYTES);
		(void)fputs(": ", stdout);
		(void)text_print(stdout, lk_text(lk_redis_node_error(node)), INT_MAX);
		(void)putchar('\n');
	}
}

static void print_pending(const lk_redis_status *status)
{
	if (lk_redis_status_pending(status) > 0)
		(void)printf("%" PRIu64 " revocations are in force that Redis could not write yet\n",
			     lk_redis_status_pending(status));
}

static void print_status(const lk_redis_status *status)
{
	(void)text_print(stdout, lk_text(lk_redis_status_mode(status)), INT_MAX);
	(void)printf(": %" PRIu32 " of %" PRIu32 " primaries serving, %" PRIu32 " of %" PRIu32 " slots covered\n",
		     lk_redis_status_primaries_serving(status), lk_redis_status_primaries(status),
		     lk_redis_status_slots_served(status), lk_redis_status_slots(status));
	print_table(status);
	print_errors(status);
	print_pending(status);
}

static json_t *json_of_count(uint64_t number)
{
	return json_integer((json_int_t)number);
}

static json_t *json_of_node(const lk_redis_node *node)
{
	uint64_t lag_ms;
	bool has_lag = lk_redis_node_lag_ms(node, &lag_ms);

	return json_pack(
	    "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "address",
	    json_of_message(lk_redis_node_address(node)), "role", json_of_message(lk_redis_node_role(node)), "state",
	    json_of_message(lk_redis_node_state(node)), "slots", json_of_count(lk_redis_node_slots(node)), "version",
	    json_of_message(lk_redis_node_version(node)), "connections", json_of_count(lk_redis_node_connections(node)),
	    "connections_ready", json_of_count(lk_redis_node_connections_ready(node)), "in_flight",
	    json_of_count(lk_redis_node_in_flight(node)), "lag_ms", has_lag ? json_of_count(lag_ms) : json_null(),
	    "breaker", json_of_message(lk_redis_node_breaker(node)), "breaker_opened",
	    json_of_count(lk_redis_node_breaker_opened(node)), "commands", json_of_count(lk_redis_node_commands(node)),
	    "errors", json_of_count(lk_redis_node_errors(node)), "timeouts",
	    json_of_count(lk_redis_node_timeouts(node)), "reconnects", json_of_count(lk_redis_node_reconnects(node)),
	    "error", json_of_message(lk_redis_node_error(node)));
}

static json_t *json_of_status(const lk_redis_status *status)
{
	json_t *nodes = json_array();

	for (size_t i = 0; i < lk_redis_status_node_count(status); i++)
		(void)json_array_append_new(nodes, json_of_node(lk_redis_status_node(status, i)));
	return json_pack("{s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "mode",
			 json_of_message(lk_redis_status_mode(status)), "ready", lk_redis_status_ready(status),
			 "primaries", json_of_count(lk_redis_status_primaries(status)), "primaries_serving",
			 json_of_count(lk_redis_status_primaries_serving(status)), "slots",
			 json_of_count(lk_redis_status_slots(status)), "slots_served",
			 json_of_count(lk_redis_status_slots_served(status)), "nodes_known",
			 json_of_count(lk_redis_status_nodes_known(status)), "pending",
			 json_of_count(lk_redis_status_pending(status)), "nodes", nodes);
}

/* Without one that answers no primary is found, and none is trusted for long. */
static void explain_sentinels(const lk_redis_status *status)
{
	size_t known = 0;
	size_t reached = 0;

	for (size_t i = 0; i < lk_redis_status_node_count(status); i++) {
		const lk_redis_node *node = lk_redis_status_node(status, i);

		if (strcmp(lk_redis_node_role(node), "sentinel") != 0)
			continue;
		known++;
		reached += lk_redis_node_connections_ready(node) > 0;
	}
	if (known > 0 && reached == 0)
		(void)fprintf(
		    stderr,
		    "latchkey: none of the %zu Sentinels answers: a primary that none of them confirms is not "
		    "used for longer than redis.unconfirmed_ms\n",
		    known);
}

/* The exit status, where the result was written with that one. */
static int judge(const lk_redis_status *status, int written)
{
	const uint32_t slots = lk_redis_status_slots(status);
	const uint32_t served = lk_redis_status_slots_served(status);

	if (slots > 0 && served >= slots)
		return written;
	(void)fprintf(stderr,
		      "latchkey: %" PRIu32 " of %" PRIu32
		      " slots have no serving primary: the sessions in them cannot be "
		      "reached now\n",
		      served < slots ? slots - served : 0, slots);
	explain_sentinels(status);
	return EXIT_UNSERVED;
}

int verb_redis(const struct line *line, lk_client *client)
{
	struct lk_error error = LK_ERROR_INIT;
	lk_redis_status *status;
	bool written = true;
	int ret;

	if (lk_server_redis(client, NULL, &status, &error) != LK_OK)
		return report_failure(line, &error);
	if (line->json)
		written = json_print(json_of_status(status));
	else
		print_status(status);
	ret = judge(status, say_done(written));
	lk_redis_status_free(&status);
	return ret;
}
