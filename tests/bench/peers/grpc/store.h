#ifndef LK_BENCH_PEERS_GRPC_STORE_H
#define LK_BENCH_PEERS_GRPC_STORE_H

// Redis by hiredis, on a thread of its own: what gathers while it waits goes out together, as a careful author of such a
// server would have it.

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

struct redisContext;

namespace peer
{

// The value; nullptr: there is none, or Redis refused. From the store's thread.
using Done = std::function<void(const std::string *value)>;

class Store
{
      public:
	explicit Store(int port);
	~Store();
	Store(const Store &) = delete;
	Store &operator=(const Store &) = delete;

	void ask(std::vector<std::string> command, Done done);

      private:
	struct Asked {
		std::vector<std::string> command;
		Done done;
	};

	void run();
	void send_gathered();
	void take_replies();

	redisContext *redis;
	int wake;
	std::atomic<bool> is_over{false};
	std::mutex lock; // gathered, is_woken
	std::vector<Asked> gathered;
	bool is_woken = false;
	std::deque<Done> waiting; // the thread's own
	std::thread thread;
};

} // namespace peer

#endif
