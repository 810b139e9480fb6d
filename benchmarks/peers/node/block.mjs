// One contender in its process: told by a line when to run a block, it answers with a line (see benchmarks/block.py).
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { randomBytes } from "node:crypto";
import pg from "pg";

const { values } = parseArgs({
  options: {
    work: { type: "string" },
    variant: { type: "string", default: "" },
    clients: { type: "string", default: "1" },
    slot: { type: "string", default: "0" },
  },
});

export const order = { ...values, clients: Number(values.clients), slot: Number(values.slot) };
export const databaseUrl = process.env.DATABASE_URL;
export const BULK = 20_000;
const USERS = Math.floor(Number(process.env.SESSIONS) / 2);
const SAMPLE = 20_000;

export const token = () => randomBytes(32).toString("base64url");
export const inDays = (days) => new Date(Date.now() + days * 86_400_000);
const say = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");

/** Ask something that is not measured. */
export async function ask(text, ...parameters) {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return (await client.query({ text, values: parameters, rowMode: "array" })).rows.map((row) => row[0]);
  } finally {
    await client.end();
  }
}

/** Some values of a column; with `own`, of rows that no other process of the heat gets. */
export const sample = (table, column, { own = false, most = SAMPLE } = {}) =>
  ask(`SELECT ${column} FROM ${table} ${own ? `WHERE abs(hashtext(id) % 16) = ${order.slot % 16}` : ""}
       ORDER BY random() LIMIT ${own ? 500 : most}`);

export const someUser = `'user' || floor(random() * ${USERS})::int || '@example.com'`;

/** An endless supply of these. */
export function endless(list) {
  let next = 0;
  return () => () => list[next++ % list.length];
}

/** A supply that is made anew for each block: more than can be used in it. */
export const fresh = (make) => async (seconds) => {
  const list = await make(Math.floor(5000 * seconds) + 100);
  let next = 0;
  return () => list[next++];
};

async function* asked() {
  say({ ready: true });
  for await (const line of createInterface({ input: process.stdin })) yield JSON.parse(line).seconds;
}

/** Serve blocks: `refill(seconds)` returns what gives the next key, or undefined; `operation(key)` is measured. */
export async function serve(refill, operation) {
  for await (const seconds of asked()) {
    const next = await refill(seconds);
    const latencies = [];
    const cpu = process.cpuUsage();
    const start = process.hrtime.bigint();
    const deadline = start + BigInt(Math.floor(seconds * 1e9));
    let end = start;
    await Promise.all(
      Array.from({ length: order.clients }, async () => {
        for (let before = process.hrtime.bigint(); before < deadline; ) {
          const key = next();
          if (key === undefined) return;
          await operation(key);
          const after = process.hrtime.bigint();
          latencies.push(Number(after - before));
          before = end = after;
        }
      }),
    );
    report(latencies, Number(end - start), process.cpuUsage(cpu));
  }
}

/** Serve blocks of one large operation each. */
export async function serveBatches(prepare, operation, tidy) {
  for await (const _ of asked()) {
    const key = prepare();
    const cpu = process.cpuUsage();
    const start = process.hrtime.bigint();
    await operation(key);
    const taken = Number(process.hrtime.bigint() - start);
    const used = process.cpuUsage(cpu);
    await tidy(); // before the answer: whoever comes next would have it in the way
    report([taken], taken, used);
  }
}

function report(latencies, nanoseconds, cpu) {
  if (!latencies.length) throw new Error("Nothing was done: no keys.");
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))] / 1e3;
  say({
    operations: latencies.length,
    seconds: nanoseconds / 1e9,
    p50_us: at(0.5),
    p99_us: at(0.99),
    cpu_us: (cpu.user + cpu.system) / latencies.length,
  });
}
