import { OFFSETS, SIZES } from "../../../plugins/cng/layout.ts";
import { compileC } from "../../support/native.ts";
import { testWith } from "../../support/needs.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

const COMPILER = "x86_64-w64-mingw32-gcc";

testWith(
  [`program:${COMPILER}`],
  "OFFSETS and SIZES match the Windows headers",
  async () => {
    using directory = new TemporaryDirectory();
    const offsets = Object.entries(OFFSETS).flatMap(([structure, members]) =>
      Object.entries(members).map(([member, offset]) =>
        `_Static_assert(offsetof(${structure}, ${member}) == ${offset}, "${structure}.${member}");`
      )
    );
    const sizes = Object.entries(SIZES).map(([structure, size]) =>
      `_Static_assert(sizeof(${structure}) == ${size}, "sizeof ${structure}");`
    );
    const source = directory.write(
      "layout.c",
      [
        "#include <windows.h>",
        "#include <bcrypt.h>",
        "#include <stddef.h>",
        ...offsets,
        ...sizes,
        "",
      ]
        .join("\n"),
    );
    await compileC(COMPILER, [source], directory.join("layout.o"), ["-c"]);
  },
);
