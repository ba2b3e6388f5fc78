/* Ioctl commands that every kind of file answers. Terminal ones: uapi/termios.h. Manual: ioctl(2). */
#pragma once

#ifndef FIONREAD
#define FIONREAD 0x541b
#define FIONBIO 0x5421
#define FIONCLEX 0x5450
#define FIOCLEX 0x5451
#define FIOASYNC 0x5452
#define FIOQSIZE 0x5460
#endif
#define FIGETBSZ 2
#define FS_IOC_GETFLAGS 0x80086601
#define FS_IOC_SETFLAGS 0x40086602
