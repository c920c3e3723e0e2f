#include "admin/routes.h"

#include <stdlib.h>

#include "admin/exposition.h"
#include "base/clock.h"
#include "base/metrics.h"

#define TEXT_PLAIN "text/plain; charset=utf-8"

enum { HTTP_OK = 200, HTTP_NOT_FOUND = 404, HTTP_METHOD_NOT_ALLOWED = 405, HTTP_UNAVAILABLE = 503 };

/* Each writes its page; its status, or 0: no memory. */
static unsigned write_index(struct routes *r, FILE *out);

static unsigned write_livez(struct routes *r, FILE *out)
{
	const uint64_t ticks[PULSES] = {metric_get(METRIC_RPC_TICKS), metric_get(METRIC_REDIS_TICKS)};

	return pulse_check(&r->pulse, ticks, clock_mono_ms(), out) ? HTTP_OK : HTTP_UNAVAILABLE;
}

static unsigned write_readyz(struct routes *r, FILE *out)
{
	struct admin_view view;

	r->source.look(r->source.owner, &view);
	readiness_write(&view, out);
	return readiness_of(&view).is_ready ? HTTP_OK : HTTP_UNAVAILABLE;
}

static unsigned write_metrics(struct routes *r, FILE *out)
{
	return exposition_write(&r->source, out) ? HTTP_OK : 0;
}

static const struct route {
	const char *path;
	const char *type;
	unsigned (*write)(struct routes *r, FILE *out);
	const char *help;
} routes[] = {
    {"/", TEXT_PLAIN, write_index, "this"},
    {"/livez", TEXT_PLAIN, write_livez, "200 while the service's clocks go on; never asks Redis"},
    {"/readyz", "application/x-ndjson", write_readyz, "200 while calls should be sent here, 503 otherwise, and why"},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", write_metrics, "for Prometheus"},
};

#define ROUTES (sizeof(routes) / sizeof(routes[0]))

static unsigned write_index(struct routes *r, FILE *out)
{
	(void)r;
	(void)fputs("latchkeyd " LK_VERSION "\n\n", out);
	for (size_t i = 0; i < ROUTES; i++)
		(void)fprintf(out, "%-10s %s\n", routes[i].path, routes[i].help);
	return HTTP_OK;
}

static const struct route *find(const char *path)
{
	for (size_t i = 0; i < ROUTES; i++)
		if (strcmp(routes[i].path, path) == 0)
			return &routes[i];
	return NULL;
}

static unsigned write_page(struct routes *r, const struct route *route, const char *method, FILE *out)
{
	if (route == NULL) {
		(void)fputs("there is no such page; / lists those there are\n", out);
		return HTTP_NOT_FOUND;
	}
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
		(void)fputs("only GET and HEAD are served\n", out);
		return HTTP_METHOD_NOT_ALLOWED;
	}
	return route->write(r, out);
}

bool routes_answer(struct routes *r, const char *method, const char *path, struct page *ret)
{
	const struct route *route = find(path);
	struct page page = {.type = TEXT_PLAIN};
	FILE *out = open_memstream(&page.text, &page.len);
	bool is_whole;

	if (out == NULL)
		return false;
	page.status = write_page(r, route, method, out);
	if (page.status == HTTP_OK || page.status == HTTP_UNAVAILABLE)
		page.type = route->type;
	is_whole = ferror(out) == 0 && page.status != 0;
	if (fclose(out) != 0 || !is_whole) {
		free(page.text);
		return false;
	}
	*ret = page;
	return true;
}
