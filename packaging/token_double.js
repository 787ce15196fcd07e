/**
 * PKCS#11 module in JavaScript with one token, for the recorder of the code cache. It replaces
 * `Deno.dlopen`, so that the code for tokens is recorded without a token. Otherwise
 * `sign-string` with SoftHSM takes 8 % longer (tests/bench/stages.ts). It has one certificate and its key,
 * and returns a signature of the right length.
 */
const OK = 0n;
const CLASS = { certificate: 1n, privateKey: 3n };
const LIST = 8;
const CURVE = new Uint8Array([0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]);

/** Replaces `Deno.dlopen` and calls by pointer; `certificate` is DER with a P-256 key. */
export function installTokenDouble(certificate) {
  const functions = functionsOf(certificate);
  const list = new BigUint64Array(1 + 68);
  for (let place = 0; place < 68; place++) list[1 + place] = BigInt(place + 1);
  const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(list));
  const getList = (to) => {
    new DataView(to.buffer).setBigUint64(0, BigInt(address), true);
    return Promise.resolve(OK);
  };
  const { dlopen } = Deno;
  Deno.dlopen = (path, symbols) =>
    "C_GetFunctionList" in symbols
      ? { symbols: { C_GetFunctionList: getList }, close() {}, list }
      : dlopen(path, symbols);
  Deno.UnsafeFnPointer = class {
    constructor(pointer) {
      this.place = Number(Deno.UnsafePointer.value(pointer)) - 1;
    }

    call(...args) {
      return Promise.resolve(functions[this.place]?.(...args) ?? OK);
    }
  };
}

/** Functions by their index in CK_FUNCTION_LIST; all others succeed. */
function functionsOf(certificate) {
  const point = pointOf(certificate);
  const objects = [
    { 0: ulong(CLASS.certificate), 0x11: certificate, 0x102: byte(1), 3: byte(0x6b) },
    {
      0: ulong(CLASS.privateKey),
      0x100: ulong(3n),
      0x102: byte(1),
      3: byte(0x6b),
      2: byte(1),
      0x180: CURVE,
      0x181: new Uint8Array([4, point.length, ...point]),
    },
  ];
  let isLoggedIn = false;
  let found = [];
  return {
    4: (_present, _slots, count) => {
      write(count, 1n);
      return OK;
    },
    6: (_slot, info) => {
      info.fill(0x20, 0, 96);
      write(info.subarray(96), 0x40cn); // initialised, with a PIN, login required
      return OK;
    },
    7: (_slot, mechanisms, count) => {
      write(mechanisms, 0x1041n);
      write(count, 1n);
      return OK;
    },
    18: () => {
      isLoggedIn = true;
      return OK;
    },
    24: (_session, object, template, count) => fill(objects[Number(object) - 1], template, count),
    26: (_session, template, count) => {
      const wanted = entries(template, count);
      found = objects.flatMap((object, i) => {
        const isVisible = isLoggedIn || object[2] === undefined;
        const agrees = wanted.every(({ type, value }) => sameBytes(object[type], value()));
        return isVisible && agrees ? [BigInt(i + 1)] : [];
      });
      return OK;
    },
    27: (_session, handles, _most, count) => {
      write(count, BigInt(found.length));
      found.forEach((handle, i) => write(handles.subarray(i * LIST), handle));
      found = [];
      return OK;
    },
    43: (_session, _data, _length, signature, length) => {
      signature.fill(1, 0, 64);
      write(length, 64n);
      return OK;
    },
  };
}

/** Implements C_GetAttributeValue. */
function fill(object, template, count) {
  let result = OK;
  for (const { type, length, at, memory } of entries(template, count)) {
    const value = object[type];
    if (value && value.length <= length) memory(value.length).set(value);
    if (!value) result = 0x12n;
    write(template.subarray(at + 16), value ? BigInt(value.length) : 0xffffffffffffffffn);
  }
  return result;
}

/** Returns the entries of a CK_ATTRIBUTE array. */
function entries(template, count) {
  const view = new DataView(template.buffer, template.byteOffset);
  return Array.from({ length: Number(count) }, (_, i) => {
    const at = i * 24;
    const length = Number(view.getBigUint64(at + 16, true));
    const memory = (size) =>
      new Uint8Array(
        Deno.UnsafePointerView.getArrayBuffer(
          Deno.UnsafePointer.create(view.getBigUint64(at + 8, true)),
          size,
        ),
      );
    const type = Number(view.getBigUint64(at, true));
    return { type, length, at, memory, value: () => memory(length) };
  });
}

/** Returns the uncompressed point in a certificate: the BIT STRING of 66 bytes without unused bits. */
function pointOf(certificate) {
  const start = certificate.findIndex((_, i) =>
    certificate[i] === 3 && certificate[i + 1] === 66 && certificate[i + 3] === 4
  );
  return certificate.subarray(start + 3, start + 68);
}

const sameBytes = (a, b) => a?.length === b.length && a.every((octet, i) => octet === b[i]);

const byte = (value) => new Uint8Array([value]);

function ulong(value) {
  const bytes = new Uint8Array(8);
  write(bytes, value);
  return bytes;
}

function write(bytes, value) {
  new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(0, value, true);
}
