/** The program's name, as help and messages write it. */
export const PROGRAM = "aws_signing_helper";
