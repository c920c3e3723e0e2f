/* gRPC's health protocol, under latchkey's name and under gRPC's own: the messages have the same bytes. */

#include "latchkey/v1/health.pb-c.h"

#include "base/clock.h"
#include "rpc/messages.h"
#include "rpc/methods.h"
#include "rpc/text.h"

static const struct {
	span name;
	bool needs_store;
} services[] = {
    {{(const uint8_t *)"", 0}, true}, /* the server as a whole */
    {{(const uint8_t *)"latchkey.v1.Sessions", 20}, true},
    {{(const uint8_t *)"latchkey.v1.Server", 18}, false},
    {{(const uint8_t *)"latchkey.v1.Health", 18}, false},
    {{(const uint8_t *)"grpc.health.v1.Health", 21}, false},
};

static bool is_serving(struct core *core, bool needs_store)
{
	struct store_state state = {0};

	if (atomic_load(&core->is_draining))
		return false;
	if (!needs_store)
		return true;
	store_get_state(core->options.store, &state);
	return state.is_ready && realm_polls_know_most(core->realm_polls, clock_mono_ms());
}

enum status_code health_check_plan(struct call *call, struct status *st)
{
	const Latchkey__V1__HealthCheckRequest *request = (const Latchkey__V1__HealthCheckRequest *)call->request;
	const span wanted = MESSAGE_SPAN(request, service);
	Latchkey__V1__HealthCheckResponse *m = arena_alloc(call->env.arena, sizeof(*m));

	if (m == NULL)
		return call_no_memory(st);
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		if (!span_eq(wanted, services[i].name))
			continue;
		latchkey__v1__health_check_response__init(m);
		MESSAGE_SET(m, status,
			    is_serving(call->group->core, services[i].needs_store)
				? LATCHKEY__V1__SERVING_STATUS__SERVING
				: LATCHKEY__V1__SERVING_STATUS__NOT_SERVING);
		call->response = &m->base;
		return STATUS_OK;
	}
	return status_set(st, STATUS_NOT_FOUND,
			  "there is no service %s: leave the name empty to ask for the whole server",
			  text_quote(wanted).chars);
}
