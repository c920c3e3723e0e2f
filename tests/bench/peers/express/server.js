// The usual stack, set up as its own pages say: sessions in Redis by express-session, connect-redis and ioredis.
// node server.js PORT REDIS_PORT

import express from 'express';
import session from 'express-session';
import { RedisStore } from 'connect-redis';
import { Redis } from 'ioredis';

const [port, redisPort] = process.argv.slice(2).map(Number);
const app = express();

app.use(session({
	store: new RedisStore({ client: new Redis(redisPort, '127.0.0.1') }),
	secret: 'a secret of the benchmark',
	resave: false,
	saveUninitialized: false,
	cookie: { maxAge: 1800000 },
}));

app.post('/login', (req, res) => {
	req.session.user = 'somebody@example.com';
	req.session.profile = 'x'.repeat(256);
	res.end();
});

// With each request the session is read, and its time to live set anew.
app.get('/me', (req, res) => {
	if (!req.session.user)
		return res.status(401).end();
	res.json({ user: req.session.user, profile: req.session.profile });
});

app.listen(port, '127.0.0.1');
