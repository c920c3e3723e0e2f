#ifndef LK_BENCH_PEERS_GRPC_SERVER_H
#define LK_BENCH_PEERS_GRPC_SERVER_H

#include <string>

namespace peer
{

// Until it is killed; an exit status when it cannot start.
int serve(const std::string &port, int redis_port);

// Creates sessions, then keeps so many Gets in flight on one channel for so long. Prints Gets a second; an exit status.
int load(const std::string &port, unsigned calls, double seconds);

} // namespace peer

#endif
