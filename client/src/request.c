#include "request.h"

#include <assert.h>
#include <stdalign.h>

enum lk_err request_start(lk_call *call, const struct request_form *form, const void *request)
{
	alignas(max_align_t) uint8_t known[REQUEST_BYTES_MAX];
	enum lk_err err;

	assert(form->bytes <= sizeof(known));
	err = call_begin(call);
	if (err != LK_OK)
		return err;
	err = struct_take(request, known, form->bytes, form->bytes_first, form->name, &call->error);
	return err == LK_OK ? form->start(call, known) : call_abandon(call, err);
}

enum lk_err request_run(lk_client *client, const struct request_form *form, const void *request, struct lk_error *error,
			lk_call **ret_call)
{
	lk_call *call;
	enum lk_err err = call_sync_begin(client, error, &call);

	if (err != LK_OK)
		return err;
	err = call_sync_wait(call, request_start(call, form, request));
	lk_call_detail(call, error);
	if (err == LK_OK)
		*ret_call = call;
	else
		lk_call_free(&call);
	return err;
}
