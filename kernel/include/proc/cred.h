/* Credentials: immutable once published; shared by reference; changed by copy. struct cred: fs/cred.h. */
#pragma once
#include <fs/cred.h>

int cred_copy(struct cred **out); /* of current's, to be changed and published */
void cred_publish(struct cred *c); /* becomes current's; takes over the reference */
bool capable(int cap); /* CAP_* of the ABI; effective of current */
