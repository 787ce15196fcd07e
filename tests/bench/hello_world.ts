// deno-lint-ignore-file no-console -- the program that everyone would write
console.log("hello world");
