// The same job behind gRPC C++: latchkey-peer-grpc serve PORT REDIS_PORT | load PORT CALLS SECONDS

#include <cstdlib>
#include <exception>
#include <iostream>

#include "server.h"

int main(int argc, char **argv)
{
	const std::string verb = argc > 1 ? argv[1] : "";

	try {
		if (verb == "serve" && argc == 4)
			return peer::serve(argv[2], std::atoi(argv[3]));
		if (verb == "load" && argc == 5)
			return peer::load(argv[2], static_cast<unsigned>(std::atoi(argv[3])), std::atof(argv[4]));
	} catch (const std::exception &e) {
		std::cerr << "latchkey-peer-grpc: " << e.what() << "\n";
		return 1;
	}
	std::cerr << "usage: latchkey-peer-grpc serve PORT REDIS_PORT | load PORT CALLS SECONDS\n";
	return 2;
}
