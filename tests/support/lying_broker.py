"""A broker that lies: stands between an agent and Mosquitto with the keys of both, and loses messages that it has
confirmed, repeats old ones, forges, holds back and reorders, by chance or by a rule. Standard library only."""
import asyncio
import json
import pathlib
import random
import ssl
import threading

PUBLISH, PUBACK = 3, 4


class LyingBroker:
    """Rates are chances for each message; they may be changed at any time. `counts` says what it did.

    `rule(topic, payload)`, while there is one, decides before chance does: None leaves the message to chance, a list of
    (topic, payload) goes on instead of it, [] loses it; its sender is told that it arrived. Called on a thread of its
    own. say(topic, payload) makes a message for the agent up.
    """

    def __init__(self, cluster, agent: str, seed: int):
        self.lose = self.repeat = self.forge = self.hold = 0.0
        self.rule = None
        self._to_agent = None
        self.counts = {"lost": 0, "repeated": 0, "forged": 0, "held back": 0}
        self._random = random.Random(seed)
        self._old = {True: [], False: []}  # (topic, payload) that passed, to be repeated; up and down
        self._upstream_port = cluster.broker_port
        current = cluster.home / "controlplane/broker/current"
        self._server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server.load_cert_chain(current / "server.pem", current / "server.key")
        self._client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._client.check_hostname = False
        self._client.verify_mode = ssl.CERT_NONE
        identity = cluster.home / agent / "identity"
        self._client.load_cert_chain(identity / "tls.pem")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._server), self._loop).result(10)
        self._send_agent_here(identity / "identity.json", server.sockets[0].getsockname()[1])

    @staticmethod
    def _send_agent_here(path: pathlib.Path, port: int):
        document = json.loads(path.read_text())
        document["brokers"] = [{"host": "127.0.0.1", "port": port}]
        path.write_text(json.dumps(document))

    def honest(self):
        self.lose = self.repeat = self.forge = self.hold = 0.0

    def say(self, topic: str, payload: bytes):
        message = self._message(topic.encode(), payload)
        self._loop.call_soon_threadsafe(lambda: self._to_agent.write(message))

    def close(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    async def _serve(self, reader, writer):
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream_port, ssl=self._client)
        except OSError:
            writer.close()
            return
        self._to_agent = writer
        down = asyncio.ensure_future(self._carry(up_reader, writer, up_writer))
        await self._carry(reader, up_writer, writer)
        down.cancel()
        for one in (writer, up_writer):
            one.close()

    async def _carry(self, reader, there, back):
        """Packets of one direction; `back` is where its sender hears of them."""
        try:
            while True:
                head = await reader.readexactly(1)
                length, shift, digits = 0, 0, b""
                while True:
                    digit = await reader.readexactly(1)
                    digits += digit
                    length |= (digit[0] & 127) << shift
                    shift += 7
                    if digit[0] < 128:
                        break
                body = await reader.readexactly(length)
                if head[0] >> 4 == PUBLISH:
                    self._publish(head[0], body, head + digits + body, there, back)
                else:
                    there.write(head + digits + body)
                await there.drain()
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
            for one in (there, back):
                one.close()

    def _publish(self, head, body, packet, there, back):
        dice = self._random.random
        topic_end = 2 + int.from_bytes(body[:2], "big")
        qos = head >> 1 & 3
        topic, payload = body[2:topic_end], body[topic_end + (2 if qos else 0):]
        instead = self.rule(topic.decode(), payload) if self.rule else None
        if instead is not None:
            if qos:
                back.write(self._confirmation(body, topic_end))
            for one_topic, one_payload in instead:
                there.write(self._message(one_topic.encode(), one_payload))
            return
        old = self._old[b"/up/" in topic]
        if dice() < self.repeat and old:
            self.counts["repeated"] += 1
            there.write(self._message(*self._random.choice(old)))
        if dice() < self.repeat:
            self.counts["repeated"] += 1
            self._later(self._random.uniform(0, 3), there, self._message(topic, payload))
        if dice() < self.forge and payload:
            self.counts["forged"] += 1
            at = self._random.randrange(len(payload))
            there.write(self._message(topic, payload[:at] + bytes([payload[at] ^ 1 << self._random.randrange(8)]) + payload[at + 1:]))
        if len(old) < 200:
            old.append((topic, payload))
        elif dice() < 0.1:
            old[self._random.randrange(200)] = (topic, payload)
        if dice() < self.lose:
            self.counts["lost"] += 1
            if qos:
                back.write(self._confirmation(body, topic_end))
        elif dice() < self.hold:
            self.counts["held back"] += 1
            self._later(self._random.uniform(0.05, 1.5), there, packet)
        else:
            there.write(packet)

    @staticmethod
    def _confirmation(body: bytes, topic_end: int) -> bytes:
        return bytes([PUBACK << 4, 2]) + body[topic_end:topic_end + 2]

    @staticmethod
    def _message(topic: bytes, payload: bytes) -> bytes:
        """PUBLISH with QoS 0: nobody confirms it, so nobody is surprised by a confirmation."""
        length, digits = 2 + len(topic) + len(payload), b""
        while True:
            digits += bytes([length % 128 | (128 if length > 127 else 0)])
            length //= 128
            if not length:
                break
        return bytes([PUBLISH << 4]) + digits + len(topic).to_bytes(2, "big") + topic + payload

    def _later(self, seconds, there, packet):
        def send():
            if not there.is_closing():
                there.write(packet)
        self._loop.call_later(seconds, send)
