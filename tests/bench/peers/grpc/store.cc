#include "store.h"

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdexcept>
#include <sys/eventfd.h>
#include <unistd.h>

namespace peer
{

Store::Store(int port)
{
	redis = redisConnectNonBlock("127.0.0.1", port);
	wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (redis == nullptr || redis->err != 0 || wake < 0)
		throw std::runtime_error("no connection to Redis");
	redisEnableKeepAlive(redis);
	thread = std::thread([this] { run(); });
}

Store::~Store()
{
	const uint64_t one = 1;

	is_over = true;
	(void)!write(wake, &one, sizeof(one));
	thread.join();
	close(wake);
	redisFree(redis);
}

void Store::ask(std::vector<std::string> command, Done done)
{
	const uint64_t one = 1;
	bool must_wake;

	{
		std::lock_guard<std::mutex> guard(lock);
		gathered.push_back({std::move(command), std::move(done)});
		must_wake = !is_woken;
		is_woken = true;
	}
	if (must_wake)
		(void)!write(wake, &one, sizeof(one));
}

void Store::send_gathered()
{
	std::vector<Asked> batch;
	std::vector<const char *> words;
	std::vector<size_t> lengths;

	{
		std::lock_guard<std::mutex> guard(lock);
		batch.swap(gathered);
		is_woken = false;
	}
	for (Asked &asked : batch) {
		words.clear();
		lengths.clear();
		for (const std::string &word : asked.command) {
			words.push_back(word.data());
			lengths.push_back(word.size());
		}
		redisAppendCommandArgv(redis, static_cast<int>(words.size()), words.data(), lengths.data());
		waiting.push_back(std::move(asked.done));
	}
}

void Store::take_replies()
{
	void *reply = nullptr;

	if (redisBufferRead(redis) != REDIS_OK)
		throw std::runtime_error("Redis has closed the connection");
	while (redisGetReplyFromReader(redis, &reply) == REDIS_OK && reply != nullptr) {
		const auto *r = static_cast<const redisReply *>(reply);
		const bool has_text = r->type == REDIS_REPLY_STRING || r->type == REDIS_REPLY_STATUS;
		const std::string value = has_text ? std::string(r->str, r->len) : std::string();
		const Done done = std::move(waiting.front());

		waiting.pop_front();
		freeReplyObject(reply);
		done(has_text ? &value : nullptr);
	}
}

void Store::run()
{
	int is_written = 1;

	while (!is_over) {
		struct pollfd fds[] = {{redis->fd, static_cast<short>(is_written ? POLLIN : POLLIN | POLLOUT), 0},
				       {wake, POLLIN, 0}};
		uint64_t times;

		poll(fds, 2, -1);
		if (fds[1].revents != 0)
			(void)!read(wake, &times, sizeof(times));
		if (fds[0].revents & POLLIN)
			take_replies();
		send_gathered();
		if (redisBufferWrite(redis, &is_written) != REDIS_OK)
			throw std::runtime_error("Redis takes no commands");
	}
}

} // namespace peer
