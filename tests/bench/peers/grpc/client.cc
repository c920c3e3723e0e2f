// One channel, one completion queue, one thread: each answer starts the next call.

#include <chrono>
#include <grpcpp/grpcpp.h>
#include <iostream>
#include <memory>
#include <vector>

#include "server.h"
#include "session.grpc.pb.h"

namespace peer
{

namespace
{

using latchkey::peer::Sessions;
using Clock = std::chrono::steady_clock;

constexpr unsigned sessions = 1000;
constexpr size_t profile_bytes = 256;

struct Caller {
	std::unique_ptr<grpc::ClientContext> context;
	latchkey::peer::GetRequest request;
	latchkey::peer::GetResponse response;
	grpc::Status status;
	std::unique_ptr<grpc::ClientAsyncResponseReader<latchkey::peer::GetResponse>> reader;
};

bool create_all(Sessions::Stub &stub, std::vector<std::string> &tokens)
{
	for (unsigned i = 0; i < sessions; i++) {
		latchkey::peer::CreateRequest request;
		latchkey::peer::CreateResponse response;
		grpc::ClientContext context;

		request.set_user("user-" + std::to_string(i));
		request.set_profile(std::string(profile_bytes, 'x'));
		const grpc::Status status = stub.Create(&context, request, &response);
		if (!status.ok()) {
			std::cerr << "create: " << status.error_message() << "\n";
			return false;
		}
		tokens.push_back(response.token());
	}
	return true;
}

class Load
{
      public:
	Load(Sessions::Stub &stub, const std::vector<std::string> &tokens) : stub(stub), tokens(tokens)
	{
	}

	void ask(Caller &caller)
	{
		caller.context = std::make_unique<grpc::ClientContext>();
		caller.context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
		caller.request.set_token(tokens[next++ % tokens.size()]);
		caller.response.Clear();
		caller.reader = stub.AsyncGet(caller.context.get(), caller.request, &queue);
		caller.reader->Finish(&caller.response, &caller.status, &caller);
	}

	// False: a call failed. The number of answers until then.
	bool run_until(Clock::time_point end, unsigned &ret_answers, bool must_ask)
	{
		void *tag;
		bool is_ok;

		for (ret_answers = 0; Clock::now() < end; ret_answers++) {
			if (!queue.Next(&tag, &is_ok))
				return false;
			auto &caller = *static_cast<Caller *>(tag);
			if (!caller.status.ok() || !caller.response.valid() || caller.response.attributes_size() != 1)
				return false;
			if (must_ask)
				ask(caller);
		}
		return true;
	}

	grpc::CompletionQueue queue;

      private:
	Sessions::Stub &stub;
	const std::vector<std::string> &tokens;
	size_t next = 0;
};

} // namespace

int load(const std::string &port, unsigned calls, double seconds)
{
	const auto channel = grpc::CreateChannel("127.0.0.1:" + port, grpc::InsecureChannelCredentials());
	const auto stub = Sessions::NewStub(channel);
	std::vector<std::string> tokens;
	std::vector<Caller> callers(calls);
	const auto length = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
	unsigned answers;

	if (!create_all(*stub, tokens))
		return 1;
	Load load(*stub, tokens);
	for (Caller &caller : callers)
		load.ask(caller);
	bool is_right = load.run_until(Clock::now() + length / 10, answers, true);
	const auto start = Clock::now();
	is_right = is_right && load.run_until(start + length, answers, true);
	const std::chrono::duration<double> took = Clock::now() - start;
	if (!is_right) {
		std::cerr << "a call failed\n";
		return 1;
	}
	std::cout << answers / took.count() << "\n";
	std::cout.flush();
	/* What is in flight still points into the callers. */
	std::_Exit(0);
}

} // namespace peer
