// deno-lint-ignore-file no-console -- the smallest program with output: the base of all ratios
console.log("hello world");
