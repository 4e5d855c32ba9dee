// MicroPython's WebAssembly port as a board: `node wasm.mjs PACKAGE FILES HEAP_BYTES`, its REPL on standard input and
// output, which must never block.
//
// MicroPython keeps its files in memory here. FILES is the folder where they outlast it: a file that is closed is there
// at once. MicroPython runs in this thread and does not let go of it, so nothing may be awaited after its start.

import fs from "node:fs";
import { join, posix } from "node:path";
import { pathToFileURL } from "node:url";

const [packageFolder, files, heapBytes] = process.argv.slice(2);
const EIO = 29; // as Emscripten numbers it
const POLLIN = 1;
const POLLOUT = 4;
const OWN = /^\/(dev|proc)(\/|$)/; // folders of the port itself

/** Collecting garbage ends 1.20, a build that cannot look for what is still used; so most of its 16 MB become heap. */
const collects = !JSON.parse(fs.readFileSync(join(packageFolder, "package.json"))).version.startsWith("1.20.");
const ROOM_BYTES = 12 << 20;
const WITHOUT_COLLECTION =
    "import gc, sys; gc.disable(); sys.modules['gc'] = type('gc', (), {'collect': lambda: 0, " +
    "'mem_free': gc.mem_free, 'mem_alloc': gc.mem_alloc}); del gc, sys\r";
const MAIN = "exec(open('/main.py').read())";

const wall = Date.now;
const never = new Int32Array(new SharedArrayBuffer(4));
const input = []; // bytes that nobody has read
let quiet = 0; // looks at the line in vain
let module; // MicroPython, once it is there
let muted = false; // what it says goes nowhere

/** Look for a byte: a millisecond apart, later ten, as nobody is in a hurry then. */
function nap() {
    quiet += 1;
    Atomics.wait(never, 0, 0, quiet < 500 ? 1 : 10);
}

/** Take what the line has, and whether there is anything to read. Ctrl-C interrupts a program that lets it. */
function listen() {
    const part = Buffer.alloc(256);
    let count = 0;
    try {
        count = fs.readSync(0, part);
        if (count === 0) process.exit(0); // nobody holds the other end
    } catch (error) {
        if (error.code !== "EAGAIN") process.exit(0);
    }
    for (const byte of part.subarray(0, count)) {
        if (byte === module._mp_hal_get_interrupt_char()) module._mp_sched_keyboard_interrupt();
        else input.push(byte);
        quiet = 0;
    }
    return input.length > 0;
}

/** The next byte of the line. */
function take() {
    while (!listen()) nap();
    return input.shift();
}

/** All bytes onto the line. */
function give(bytes) {
    while (bytes.length && !muted) {
        try {
            bytes = bytes.subarray(fs.writeSync(1, bytes));
        } catch (error) {
            if (error.code !== "EAGAIN") process.exit(0);
            nap();
        }
    }
}

/** MicroPython's standard input and output. */
const line = {
    read(stream, memory, at, count) {
        memory[at] = take();
        let got = 1;
        while (got < count && input.length) memory[at + got++] = input.shift();
        return got;
    },
    write(stream, memory, at, count) {
        give(Uint8Array.from(memory.subarray(at, at + count)));
        return count;
    },
    poll() {
        if (!listen()) nap();
        return POLLOUT | (input.length ? POLLIN : 0);
    },
};

/** Bring the files of FILES into MicroPython's memory; from now on FILES follows what is done there. */
function mirror(FS) {
    const there = (path) => join(files, path);
    for (const path of ["/tmp", "/home/web_user", "/home"]) FS.rmdir(path);
    const load = (folder) => {
        for (const entry of fs.readdirSync(there(folder), { withFileTypes: true })) {
            const path = posix.join(folder, entry.name);
            if (entry.isDirectory()) {
                FS.mkdir(path);
                load(path);
            } else {
                FS.writeFile(path, fs.readFileSync(there(path)));
            }
        }
    };
    fs.mkdirSync(files, { recursive: true });
    load("/");

    const follow = (name, act) => {
        const inner = FS[name];
        FS[name] = (...given) => {
            // Before the act: it may change what a path means.
            const absolute = given.map((one) => (typeof one === "string" ? posix.resolve(FS.cwd(), one) : one));
            const done = inner.apply(FS, given);
            try {
                if (!OWN.test(absolute[0])) act(...absolute);
            } catch {
                throw new FS.ErrnoError(EIO);
            }
            return done;
        };
    };
    follow("mkdir", (path) => fs.mkdirSync(there(path)));
    follow("rmdir", (path) => fs.rmdirSync(there(path)));
    follow("unlink", (path) => fs.unlinkSync(there(path)));
    follow("rename", (from, to) => fs.renameSync(there(from), there(to)));
    follow("close", (stream) => {
        const path = FS.getPath(stream.node);
        if (!(stream.flags & 3) || !FS.isFile(stream.node.mode) || OWN.test(path)) return;
        fs.writeFileSync(`${files}.new`, FS.readFile(path)); // a cut leaves the old file or the new one
        fs.renameSync(`${files}.new`, there(path));
    });
}

/**
 * Stand where MicroPython asks Node while a program runs: for the time, and in 1.20.0-239 for standard input now and
 * then. That lets Ctrl-C reach the program. Builds to 1.22 say some of their words on Node's standard output.
 */
function attend() {
    const nothing = { fd: fs.openSync("/dev/null", "r") };
    let heard = 0;
    Date.now = () => {
        const now = wall();
        if (now !== heard) listen();
        heard = now;
        return now;
    };
    Object.defineProperty(process, "stdin", { get: () => (Date.now(), nothing) });
    Object.defineProperty(process, "stdout", { value: { write: give } });
}

const { loadMicroPython } = await import(pathToFileURL(join(packageFolder, "micropython.mjs")));
const micropython = await loadMicroPython({
    heapsize: collects ? Number(heapBytes) : ROOM_BYTES,
    url: join(packageFolder, "micropython.wasm"),
    stdin: () => null,
    stdout: () => {},
    linebuffer: false,
});
module = micropython._module;
for (const stream of micropython.FS.streams.slice(0, 3)) stream.stream_ops = { ...stream.stream_ops, ...line };
mirror(micropython.FS);
attend();

// The names changed with 1.23.
const process_char = module._mp_js_repl_process_char ?? module._mp_js_process_char;
const type = (text) => Buffer.from(text).forEach((byte) => process_char(byte));

// A board with a main.py runs it before anything is said.
const starts = !process.env.ULM_RAW && fs.existsSync(join(files, "main.py"));
muted = starts;
(module._mp_js_repl_init ?? module._mp_js_init_repl)();
muted = true;
if (!collects) type(WITHOUT_COLLECTION);
if (starts) type(MAIN);
muted = false;
if (starts) type("\r");
while (!process_char(take()));
process.exit(0); // a soft reset
