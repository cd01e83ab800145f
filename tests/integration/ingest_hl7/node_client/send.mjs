// Sends two messages with node-hl7-client and prints MSA-1 and MSA-2 of each answer.
// node send.mjs PORT [CA CERTIFICATE KEY]: the files turn mutual TLS on.
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import Client, { HL7_2_5 } from "node-hl7-client";

const [port, ca, cert, key] = process.argv.slice(2);
const tls = ca && { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key), servername: "localhost" };
const client = new Client({ host: "127.0.0.1", version: "2.5", ...(tls && { tls }) });
const answers = [];
const connection = client.createConnection({ port: Number(port) }, (response) => {
  const message = response.getMessage();
  answers.push(`${message.get("MSA.1")} ${message.get("MSA.2")}`);
});
// What is handed over before it has connected, or before the last answer, this client may keep to itself.
await new Promise((connected) => connection.once("connect", connected));
for (const [place, control] of ["N1", "N2"].entries()) {
  const message = new HL7_2_5()
    .buildMSH({ msh_3: "NODE", msh_4: "GH", msh_9_1: "ADT", msh_9_2: "A01", msh_10: control, msh_11_1: "T" })
    .buildEVN({ evn_1: "A01" })
    .buildPID({ pid_3: "77^^^HOSP^MR", pid_5: "X^Y" })
    .buildPV1({ pv1_2: "I", pv1_3: "NICU^1^3" })
    .toMessage();
  await connection.sendMessage(message);
  for (let waited = 0; answers.length <= place && waited < 30_000; waited += 50) await setTimeout(50);
}
console.log(answers.join("\n"));
process.exit(answers.length === 2 ? 0 : 1);
