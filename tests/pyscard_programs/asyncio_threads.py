import asyncio
from concurrent.futures import ThreadPoolExecutor

from smartcard.Exceptions import NoCardException
from smartcard.System import readers


def read(reader):
    try:
        with reader.createConnection() as connection:
            connection.connect()
            return bytes(connection.transmit([0xFF, 0xCA, 0, 0, 0])[0]).hex()
    except NoCardException as e:
        return str(e)


async def main():
    print(await asyncio.gather(*(asyncio.to_thread(read, each) for each in readers())))
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(2) as pool:
        print(await loop.run_in_executor(pool, read, readers()[0]))
    try:
        await asyncio.wait_for(asyncio.to_thread(read, readers()[2]), 5)
    except asyncio.TimeoutError:
        print("late")


asyncio.run(main())
