// Certificates for tests, made by openssl when they are first needed.

/** PEM texts. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

export interface Certificates {
  /** The folder with the files: `ca.pem`, and for each identity `<name>.pem` and `<name>.key`. */
  readonly folder: string;
  /** The authority's own certificate. */
  readonly ca: string;
  /** For `localhost`, 127.0.0.1 and ::1. */
  readonly server: Identity;
  /** For a client that has to show one. */
  readonly client: Identity;
  /** For `other.example`. */
  readonly other: Identity;
  /** For `localhost`, and over since long. */
  readonly expired: Identity;
  /** For `localhost`, signed by an authority that nobody trusts. */
  readonly stranger: Identity;
}

let made: Promise<Certificates> | null = null;

/** The same ones for all tests of a process. The folder goes with the process. */
export function certificates(): Promise<Certificates> {
  return made ??= make();
}

async function make(): Promise<Certificates> {
  const folder = await Deno.makeTempDir({ prefix: "certificates" });
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  await authority(folder, "ca");
  await authority(folder, "unknown");
  const read = (name: string) => Deno.readTextFile(`${folder}/${name}`);
  const identity = async (name: string, alternative: string, ca = "ca", days = 30) => {
    await Deno.writeTextFile(`${folder}/${name}.ext`, `basicConstraints=CA:FALSE\nsubjectAltName=${alternative}\n`);
    await openssl(folder, "req", ...NEW_KEY, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    const signed = ["-CA", `${ca}.pem`, "-CAkey", `${ca}.key`, "-CAcreateserial", "-extfile", `${name}.ext`];
    await openssl(folder, "x509", "-req", "-in", `${name}.csr`, "-out", `${name}.pem`, ...signed, "-days", `${days}`);
    return { cert: await read(`${name}.pem`), key: await read(`${name}.key`) };
  };
  const here = "DNS:localhost,IP:127.0.0.1,IP:::1";
  return {
    folder,
    ca: await read("ca.pem"),
    server: await identity("server", here),
    client: await identity("client", "DNS:client.example"),
    other: await identity("other", "DNS:other.example"),
    expired: await identity("expired", here, "ca", -1),
    stranger: await identity("stranger", here, "unknown"),
  };
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

async function authority(folder: string, name: string): Promise<void> {
  const uses = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"];
  const files = ["-keyout", `${name}.key`, "-out", `${name}.pem`];
  await openssl(folder, "req", "-x509", ...NEW_KEY, ...files, "-days", "30", "-subj", `/CN=${name} authority`, ...uses);
}

async function openssl(folder: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command("openssl", { args, cwd: folder }).output();
  if (code !== 0) throw new Error(`openssl ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}
