/** The program's name in help and messages. */
export const PROGRAM = "aws_signing_helper";
