// The asynchronous server as gRPC's own guide has it: calls wait in a completion queue, and each is a small object that
// knows its step. A Get goes to the store, whose thread finishes it.

#include "server.h"

#include <grpcpp/grpcpp.h>
#include <iostream>
#include <memory>

#include "job.h"
#include "session.grpc.pb.h"
#include "store.h"

namespace peer
{

namespace
{

using Service = latchkey::peer::Sessions::AsyncService;
using grpc::ServerAsyncResponseWriter;

// More than are in flight at once: none waits for a place.
constexpr unsigned places = 256;

struct Context {
	Service service;
	std::unique_ptr<grpc::ServerCompletionQueue> queue;
	Job job;
	Store store;

	explicit Context(int redis_port) : store(redis_port)
	{
	}
};

class Step
{
      public:
	virtual ~Step() = default;
	virtual void proceed(bool is_ok) = 0;
};

class Get final : public Step
{
      public:
	explicit Get(Context &c) : c(c), writer(&context)
	{
		c.service.RequestGet(&context, &request, &writer, c.queue.get(), c.queue.get(), this);
	}

	void proceed(bool is_ok) override
	{
		if (!is_ok || is_answered) {
			delete this;
			return;
		}
		new Get(c);
		is_answered = true;
		if (!c.job.check(request.token(), token)) {
			writer.Finish(response, grpc::Status::OK, this);
			return;
		}
		c.store.ask({"GETEX", token.key, "PX", std::to_string(idle_timeout_ms)},
			    [this](const std::string *record) { answer(record); });
	}

      private:
	void answer(const std::string *record)
	{
		if (record == nullptr || !c.job.open(token, *record, response))
			response.Clear();
		writer.Finish(response, grpc::Status::OK, this);
	}

	Context &c;
	grpc::ServerContext context;
	latchkey::peer::GetRequest request;
	latchkey::peer::GetResponse response;
	ServerAsyncResponseWriter<latchkey::peer::GetResponse> writer;
	Token token;
	bool is_answered = false;
};

class Create final : public Step
{
      public:
	explicit Create(Context &c) : c(c), writer(&context)
	{
		c.service.RequestCreate(&context, &request, &writer, c.queue.get(), c.queue.get(), this);
	}

	void proceed(bool is_ok) override
	{
		Token token;
		std::string record;

		if (!is_ok || is_answered) {
			delete this;
			return;
		}
		new Create(c);
		is_answered = true;
		response.set_token(c.job.create(request.user(), request.profile(), token, record));
		c.store.ask({"SET", token.key, record, "PX", std::to_string(idle_timeout_ms)},
			    [this](const std::string *done) {
				    writer.Finish(response,
						  done != nullptr ? grpc::Status::OK
								  : grpc::Status(grpc::UNAVAILABLE, "Redis refuses"),
						  this);
			    });
	}

      private:
	Context &c;
	grpc::ServerContext context;
	latchkey::peer::CreateRequest request;
	latchkey::peer::CreateResponse response;
	ServerAsyncResponseWriter<latchkey::peer::CreateResponse> writer;
	bool is_answered = false;
};

} // namespace

int serve(const std::string &port, int redis_port)
{
	Context c(redis_port);
	grpc::ServerBuilder builder;
	void *tag;
	bool is_ok;

	builder.AddListeningPort("127.0.0.1:" + port, grpc::InsecureServerCredentials());
	builder.RegisterService(&c.service);
	c.queue = builder.AddCompletionQueue();
	const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
	if (server == nullptr) {
		std::cerr << "cannot listen on port " << port << "\n";
		return 1;
	}
	for (unsigned i = 0; i < places; i++)
		new Get(c);
	new Create(c);
	while (c.queue->Next(&tag, &is_ok))
		static_cast<Step *>(tag)->proceed(is_ok);
	return 0;
}

} // namespace peer
