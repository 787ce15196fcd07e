/** Kills a process and waits for its end. It may have ended before. */
export async function endProcess(child: Deno.ChildProcess): Promise<void> {
  try {
    child.kill("SIGKILL");
  } catch {
    // it has ended
  }
  await child.status;
}
