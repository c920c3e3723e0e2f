#include "support/callers.h"
