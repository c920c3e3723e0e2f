#include "admin/exposition.h"

/* Design notes.
 *
 * One row of writers[] for each row of families.def; what is counted in metrics.def and realm_metrics.def needs none. A
 * row has either one value (scalar), one for each Redis node (node), or writes its samples itself (all). Values are whole
 * numbers of a unit, and are divided by what makes Prometheus's base unit of it.
 *
 * What has no samples keeps its HELP and TYPE, so that a name that is in the catalog is always in the page. A method or a
 * realm in which nothing was counted has no samples: most have none, and a realm of which nothing is told tells no name. */

#include <assert.h>
#include <stdlib.h>

#include "admin/probes.h"
#include "admin/process.h"
#include "base/call_metrics.h"
#include "base/catalog.h"
#include "base/metrics.h"

/* As many servers as the store keeps in mind, and Sentinels besides. */
#define NODES_SHOWN_MAX 300

#define MS_PER_S 1000U
#define US_PER_S 1000000U

struct sheet {
	FILE *out;
	const struct admin_source *source;
	struct admin_view view;
	struct readiness readiness;
	struct process_state process;
	size_t node_count;
	struct store_node *nodes;
};

/* ---- Samples ---- */

/* In the order of their names: name="value", with what the format has for ", \ and a line's end. */
static void put_label(FILE *out, const char *before, const char *name, span value)
{
	(void)fprintf(out, "%s%s=\"", before, name);
	for (size_t i = 0; i < value.len; i++) {
		const char c = (char)value.ptr[i];

		if (c == '\n')
			(void)fputs("\\n", out);
		else if (c == '"' || c == '\\')
			(void)fprintf(out, "\\%c", c);
		else
			(void)fputc(c, out);
	}
	(void)fputc('"', out);
}

static unsigned digits_of(uint32_t unit)
{
	return unit == US_PER_S ? 6 : unit == MS_PER_S ? 3 : 0;
}

static void put_value(FILE *out, uint64_t value, uint32_t unit)
{
	if (unit <= 1)
		(void)fprintf(out, " %llu\n", (unsigned long long)value);
	else
		(void)fprintf(out, " %llu.%0*llu\n", (unsigned long long)(value / unit), (int)digits_of(unit),
			      (unsigned long long)(value % unit));
}

static void put_head(FILE *out, const struct catalog_row *row)
{
	(void)fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name, row->type);
}

static void put_plain(FILE *out, const char *name, uint64_t value)
{
	(void)fputs(name, out);
	put_value(out, value, 1);
}

static void put_labelled(FILE *out, const char *name, const char *label, span of, uint64_t value, uint32_t unit)
{
	(void)fputs(name, out);
	put_label(out, "{", label, of);
	(void)fputc('}', out);
	put_value(out, value, unit);
}

/* ---- Counters ---- */

static void put_counters(FILE *out)
{
	for (size_t i = 0; i < METRICS; i++) {
		put_head(out, catalog_at(i));
		put_plain(out, metric_name((enum metric)i), metric_get((enum metric)i));
	}
}

static bool is_counted(size_t realm)
{
	for (size_t i = 0; i < REALM_METRICS; i++)
		if (realm_metric_get((enum realm_metric)i, realm) > 0)
			return true;
	return false;
}

static void put_realm_counters(FILE *out, const struct admin_source *source)
{
	for (size_t i = 0; i < REALM_METRICS; i++) {
		const struct catalog_row *row = catalog_at(METRICS + i);
		span realm;

		put_head(out, row);
		for (size_t r = 0; r < METRIC_REALMS_MAX && (realm = source->realm(source->owner, r)).len > 0; r++)
			if (is_counted(r))
				put_labelled(out, row->name, "realm", realm, realm_metric_get((enum realm_metric)i, r),
					     1);
	}
}

/* ---- Calls ---- */

static void put_calls_answered(const struct sheet *s, const char *name)
{
	struct call_metrics m;
	span method;

	for (size_t i = 0; i < CALL_METHODS_MAX && (method = s->source->method(i)).len > 0; i++) {
		call_metrics_read(i, &m);
		for (size_t code = 0; code < STATUS_CODES; code++) {
			if (m.by_code[code] == 0)
				continue;
			(void)fputs(name, s->out);
			put_label(s->out, "{", "method", method);
			put_label(s->out, ",", "code", span_str(status_name((enum status_code)code)));
			(void)fputc('}', s->out);
			put_value(s->out, m.by_code[code], 1);
		}
	}
}

static void put_histogram(FILE *out, const char *name, span method, const struct call_metrics *m)
{
	uint64_t below = 0;

	for (size_t i = 0; i < CALL_BOUNDS; i++) {
		below += m->by_time[i];
		(void)fprintf(out, "%s_bucket", name);
		put_label(out, "{", "method", method);
		(void)fprintf(out, ",le=\"%g\"}", call_bounds_us[i] / (double)US_PER_S);
		put_value(out, below, 1);
	}
	(void)fprintf(out, "%s_bucket", name);
	put_label(out, "{", "method", method);
	(void)fputs(",le=\"+Inf\"}", out);
	put_value(out, m->calls, 1);
	(void)fprintf(out, "%s_sum", name);
	put_labelled(out, "", "method", method, m->took_us, US_PER_S);
	(void)fprintf(out, "%s_count", name);
	put_labelled(out, "", "method", method, m->calls, 1);
}

static void put_call_seconds(const struct sheet *s, const char *name)
{
	struct call_metrics m;
	span method;

	for (size_t i = 0; i < CALL_METHODS_MAX && (method = s->source->method(i)).len > 0; i++) {
		call_metrics_read(i, &m);
		if (m.calls > 0)
			put_histogram(s->out, name, method, &m);
	}
}

/* ---- Keys ---- */

static void put_key(const struct sheet *s, const char *name, const struct admin_key *key, uint64_t value, uint32_t unit)
{
	char number[8];

	(void)snprintf(number, sizeof(number), "%u", key->id);
	put_labelled(s->out, name, "key", span_str(number), value, unit);
}

static void put_key_first(const struct sheet *s, const char *name)
{
	for (size_t i = 0; i < s->view.key_count; i++)
		put_key(s, name, &s->view.keys[i], s->view.keys[i].is_first, 1);
}

static void put_key_tokens(const struct sheet *s, const char *name)
{
	for (size_t i = 0; i < s->view.key_count; i++)
		put_key(s, name, &s->view.keys[i], s->view.keys[i].tokens, 1);
}

static void put_key_records(const struct sheet *s, const char *name)
{
	for (size_t i = 0; i < s->view.key_count; i++)
		put_key(s, name, &s->view.keys[i], s->view.keys[i].records, 1);
}

static void put_key_used(const struct sheet *s, const char *name)
{
	for (size_t i = 0; i < s->view.key_count; i++)
		put_key(s, name, &s->view.keys[i], s->view.keys[i].last_used_ms, MS_PER_S);
}

/* ---- Redis ---- */

static bool is_alike(const struct store_node *a, const struct store_node *b)
{
	return strcmp(a->role, b->role) == 0 && strcmp(a->state, b->state) == 0;
}

static void put_nodes(const struct sheet *s, const char *name)
{
	for (size_t i = 0; i < s->node_count; i++) {
		size_t first = 0;
		uint64_t alike = 0;

		while (!is_alike(&s->nodes[first], &s->nodes[i]))
			first++;
		if (first < i)
			continue;
		for (size_t j = i; j < s->node_count; j++)
			alike += is_alike(&s->nodes[j], &s->nodes[i]);
		(void)fputs(name, s->out);
		put_label(s->out, "{", "role", span_str(s->nodes[i].role));
		put_label(s->out, ",", "state", span_str(s->nodes[i].state));
		(void)fputc('}', s->out);
		put_value(s->out, alike, 1);
	}
}

static void put_store_info(const struct sheet *s, const char *name)
{
	(void)fputs(name, s->out);
	put_label(s->out, "{", "mode", span_str(s->view.store.mode));
	put_label(s->out, ",", "version", span_str(s->view.store.version));
	(void)fputs("} 1\n", s->out);
}

static void put_build(const struct sheet *s, const char *name)
{
	put_labelled(s->out, name, "version", SPAN_LIT(LK_VERSION), 1, 1);
}

/* ---- The table ---- */

#define NODE(id, has, value)                                                                                           \
	static bool node_##id(const struct store_node *n, uint64_t *ret)                                               \
	{                                                                                                              \
		*ret = (value);                                                                                        \
		return (has);                                                                                          \
	}
#define SCALAR(id, value)                                                                                              \
	static uint64_t scalar_##id(const struct sheet *s)                                                             \
	{                                                                                                              \
		(void)s;                                                                                               \
		return (value);                                                                                        \
	}

NODE(up, true, n->connections_ready > 0)
NODE(slots, true, n->slots)
NODE(in_flight, true, n->in_flight)
NODE(connections, true, n->connections_ready)
NODE(lag, n->has_lag, n->lag_ms)
NODE(breaker, true, n->breaker[0] != '\0' && strcmp(n->breaker, "closed") != 0)
NODE(commands, true, n->commands)
NODE(errors, true, n->errors)
NODE(timeouts, true, n->timeouts)
NODE(reconnects, true, n->reconnects)
NODE(opened, true, n->breaker_opened)

SCALAR(ready, s->readiness.is_ready)
SCALAR(degraded, s->readiness.is_degraded)
SCALAR(draining, s->view.is_draining)
SCALAR(connections, metric_get(METRIC_CONNECTIONS_ACCEPTED) - metric_get(METRIC_CONNECTIONS_CLOSED))
SCALAR(frames, s->view.frames_held)
SCALAR(frame_bytes, s->view.bytes_held)
SCALAR(watchers, s->view.watchers)
SCALAR(recent, s->view.recent)
SCALAR(refused, s->view.refused)
SCALAR(store_ready, s->view.store.is_ready)
SCALAR(journal_entries, s->view.store.journal_entries)
SCALAR(journal_bytes, s->view.store.journal_bytes)
SCALAR(pending, s->view.store.pending)
SCALAR(cpu, s->process.cpu_us)
SCALAR(rss, s->process.resident_bytes)
SCALAR(virtual, s->process.virtual_bytes)
SCALAR(fds, s->process.fds)
SCALAR(fds_max, s->process.fds_max)
SCALAR(start, s->view.started_at_ms)

#undef NODE
#undef SCALAR

struct family_writer {
	uint64_t (*scalar)(const struct sheet *s);
	bool (*node)(const struct store_node *n, uint64_t *ret);
	void (*all)(const struct sheet *s, const char *name);
	uint32_t unit; /* so many of the value's are one; 0: 1 */
};

static const struct family_writer writers[FAMILIES] = {
    [FAMILY_BUILD] = {.all = put_build},
    [FAMILY_READY] = {.scalar = scalar_ready},
    [FAMILY_DEGRADED] = {.scalar = scalar_degraded},
    [FAMILY_DRAINING] = {.scalar = scalar_draining},
    [FAMILY_CONNECTIONS] = {.scalar = scalar_connections},
    [FAMILY_FRAMES_HELD] = {.scalar = scalar_frames},
    [FAMILY_FRAMES_HELD_BYTES] = {.scalar = scalar_frame_bytes},
    [FAMILY_WATCHERS] = {.scalar = scalar_watchers},
    [FAMILY_RECENT] = {.scalar = scalar_recent},
    [FAMILY_RELOAD_REFUSED] = {.scalar = scalar_refused},
    [FAMILY_CALLS_ANSWERED] = {.all = put_calls_answered},
    [FAMILY_CALL_SECONDS] = {.all = put_call_seconds},
    [FAMILY_KEY_FIRST] = {.all = put_key_first},
    [FAMILY_KEY_TOKENS] = {.all = put_key_tokens},
    [FAMILY_KEY_RECORDS] = {.all = put_key_records},
    [FAMILY_KEY_USED] = {.all = put_key_used},
    [FAMILY_STORE_READY] = {.scalar = scalar_store_ready},
    [FAMILY_STORE_INFO] = {.all = put_store_info},
    [FAMILY_JOURNAL_ENTRIES] = {.scalar = scalar_journal_entries},
    [FAMILY_JOURNAL_BYTES] = {.scalar = scalar_journal_bytes},
    [FAMILY_STORE_PENDING] = {.scalar = scalar_pending},
    [FAMILY_NODES] = {.all = put_nodes},
    [FAMILY_NODE_UP] = {.node = node_up},
    [FAMILY_NODE_SLOTS] = {.node = node_slots},
    [FAMILY_NODE_IN_FLIGHT] = {.node = node_in_flight},
    [FAMILY_NODE_CONNECTIONS] = {.node = node_connections},
    [FAMILY_NODE_LAG] = {.node = node_lag, .unit = MS_PER_S},
    [FAMILY_NODE_BREAKER] = {.node = node_breaker},
    [FAMILY_NODE_COMMANDS] = {.node = node_commands},
    [FAMILY_NODE_ERRORS] = {.node = node_errors},
    [FAMILY_NODE_TIMEOUTS] = {.node = node_timeouts},
    [FAMILY_NODE_RECONNECTS] = {.node = node_reconnects},
    [FAMILY_NODE_OPENED] = {.node = node_opened},
    [FAMILY_PROCESS_CPU] = {.scalar = scalar_cpu, .unit = US_PER_S},
    [FAMILY_PROCESS_RSS] = {.scalar = scalar_rss},
    [FAMILY_PROCESS_VIRTUAL] = {.scalar = scalar_virtual},
    [FAMILY_PROCESS_FDS] = {.scalar = scalar_fds},
    [FAMILY_PROCESS_FDS_MAX] = {.scalar = scalar_fds_max},
    [FAMILY_PROCESS_START] = {.scalar = scalar_start, .unit = MS_PER_S},
};

static void put_node_values(const struct sheet *s, const struct family_writer *w, const char *name)
{
	uint64_t value;

	for (size_t i = 0; i < s->node_count; i++)
		if (w->node(&s->nodes[i], &value))
			put_labelled(s->out, name, "node", span_str(s->nodes[i].address), value, w->unit);
}

static void put_families(const struct sheet *s)
{
	for (size_t i = 0; i < FAMILIES; i++) {
		const struct catalog_row *row = catalog_family((enum family)i);
		const struct family_writer *w = &writers[i];

		put_head(s->out, row);
		if (w->scalar != NULL) {
			(void)fputs(row->name, s->out);
			put_value(s->out, w->scalar(s), w->unit);
		} else if (w->node != NULL) {
			put_node_values(s, w, row->name);
		} else {
			assert(w->all != NULL);
			w->all(s, row->name);
		}
	}
}

/* The same series twice makes Prometheus refuse the whole page. */
static size_t drop_namesakes(struct store_node *nodes, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		size_t j = 0;

		while (j < kept && strcmp(nodes[j].address, nodes[i].address) != 0)
			j++;
		if (j < kept)
			continue;
		if (kept < i)
			nodes[kept] = nodes[i];
		kept++;
	}
	return kept;
}

bool exposition_write(const struct admin_source *source, FILE *out)
{
	struct sheet s = {.out = out, .source = source};
	size_t known;

	s.nodes = calloc(NODES_SHOWN_MAX, sizeof(*s.nodes));
	if (s.nodes == NULL)
		return false;
	known = source->nodes(source->owner, s.nodes, NODES_SHOWN_MAX);
	s.node_count = drop_namesakes(s.nodes, known < NODES_SHOWN_MAX ? known : NODES_SHOWN_MAX);
	source->look(source->owner, &s.view);
	s.readiness = readiness_of(&s.view);
	process_look(&s.process);
	put_counters(out);
	put_realm_counters(out, source);
	put_families(&s);
	free(s.nodes);
	return true;
}
