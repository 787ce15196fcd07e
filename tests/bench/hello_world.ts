// What a compiled Deno program costs at the least; all ratios are to this.
Deno.stdout.writeSync(new TextEncoder().encode("hello world\n"));
Deno.exit(0);
