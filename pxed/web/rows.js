// Rows of the fleet: one array, what each is counted under as bits in a typed array, its words for the search.

export const GROUPS = ["all", "booting", "stuck", "installing", "running", "held", "unknown"];
const BIT = { all: 1, booting: 2, stuck: 4, installing: 8, running: 16, held: 32, unknown: 64 };

export const SPEAKERS = { rom: "ROM", ipxe: "iPXE", initramfs: "initramfs", os: "OS" };
const DONE = new Set(["running", "installed", "local"]);

/** What a machine is shown as: the first of these that is so. */
export function stateOf(row) {
  if (row.severity === "stuck" || row.outcome === "stuck" || row.outcome === "failed") return "stuck";
  if (row.held) return "held";
  if (row.install === "installing" || (row.stage === "installing" && !row.outcome)) return "installing";
  if (DONE.has(row.outcome)) return "running";
  if (row.stage && !row.outcome) return "booting";
  return row.listed ? "idle" : "unknown";
}

function bitsOf(row) {
  return BIT.all | (BIT[stateOf(row)] || 0) | (row.held ? BIT.held : 0) | (row.listed ? 0 : BIT.unknown);
}

function wordsOf(row) {
  const macs = row.macs.join(" ");
  const words = [row.name, macs, macs.replaceAll(":", ""), row.serial, row.profile, row.verdict, row.stage, row.install];
  return words.filter(Boolean).join("\n").toLowerCase();
}

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

export class Rows {
  constructor(columns, cells = []) {
    this.columns = columns;
    this.list = cells.map((row) => this.#object(row));
    this.index = new Map(this.list.map((row, at) => [row.name, at]));
    this.bits = Uint8Array.from(this.list, bitsOf);
    this.words = new Array(this.list.length); // made when somebody searches
    this.counts = Object.fromEntries(GROUPS.map((group) => [group, 0]));
    for (const bits of this.bits) this.#count(bits, 1);
  }

  get(name) {
    const at = this.index.get(name);
    return at === undefined ? undefined : this.list[at];
  }

  /** A row that is new or changed. */
  set(cells) {
    const row = this.#object(cells);
    let at = this.index.get(row.name);
    if (at === undefined) {
      at = this.list.length;
      this.index.set(row.name, at);
      if (at >= this.bits.length) this.#grow();
    } else {
      this.#count(this.bits[at], -1);
    }
    this.list[at] = row;
    this.words[at] = undefined;
    this.bits[at] = bitsOf(row);
    this.#count(this.bits[at], 1);
  }

  /** Machines of which nothing is known any more. */
  remove(names) {
    const gone = new Set(names.filter((name) => this.index.has(name)));
    if (!gone.size) return;
    const stays = this.list.map((row, at) => at).filter((at) => !gone.has(this.list[at].name));
    for (const name of gone) this.#count(this.bits[this.index.get(name)], -1);
    this.bits = Uint8Array.from(stays, (at) => this.bits[at]);
    this.words = stays.map((at) => this.words[at]);
    this.list = stays.map((at) => this.list[at]);
    this.index = new Map(this.list.map((row, at) => [row.name, at]));
  }

  /** Positions of the rows of a group that have all the words, in their order. */
  find(group, search, order, descending) {
    const bit = BIT[group];
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    const found = new Int32Array(this.list.length);
    let count = 0;
    for (let at = 0; at < this.list.length; at += 1) {
      if (this.bits[at] & bit && (!words.length || this.#has(at, words))) { found[count] = at; count += 1; }
    }
    const view = found.subarray(0, count);
    return order ? view.sort(this.#by(order, descending ? -1 : 1)) : view;
  }

  #has(at, words) {
    const text = this.words[at] ?? (this.words[at] = wordsOf(this.list[at]));
    return words.every((word) => text.includes(word));
  }

  #by(key, sign) {
    const value = (at) => this.list[at][key];
    return (a, b) => {
      const [left, right] = [value(a), value(b)];
      if (left === right) return a - b;
      if (left === null) return 1; // what is not known comes last, whichever way
      if (right === null) return -1;
      return sign * (typeof left === "string" ? collator.compare(left, right) : left - right) || a - b;
    };
  }

  #object(cells) {
    const row = {};
    for (let at = 0; at < this.columns.length; at += 1) row[this.columns[at]] = cells[at];
    return row;
  }

  #count(bits, by) {
    for (const group of GROUPS) if (bits & BIT[group]) this.counts[group] += by;
  }

  #grow() {
    const more = new Uint8Array(this.bits.length + 1024);
    more.set(this.bits);
    this.bits = more;
  }
}
