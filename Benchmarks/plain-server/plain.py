"""An ingest server as it is written in an afternoon, with what people take for it: FastAPI, uvicorn and asyncpg. Each uplink
looks up its device and is one INSERT that commits by itself. It checks no key, moves no state and raises no alarm.

    DATABASE_FOLDER=... uvicorn plain:app --workers 2 --no-access-log --port PORT
"""

import base64
import os
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg
from fastapi import FastAPI, HTTPException, Request

DEVICE = """
SELECT d.organization_id, d.id, a.unit_id FROM devices d JOIN device_assignments a ON a.device_id = d.id
WHERE d.dev_eui = $1
"""
INSERT = """
INSERT INTO sensor_readings (organization_id, device_id, unit_id, recorded_at, source, temperature, probe_temperature,
  ambient_temperature, humidity, battery_voltage, signal_strength, snr, f_port, f_cnt, session_key_id, raw_payload)
VALUES ($1, $2, $3, $4, 'ttn', $5::float8, $5::float8, $6::float8, $7::float8, $8::float8, $9, $10::float8, $11, $12, $13, $14)
ON CONFLICT DO NOTHING RETURNING id
"""


@asynccontextmanager
async def lifespan(app):
    async with asyncpg.create_pool(host=os.environ["DATABASE_FOLDER"], user="postgres", database="freshtrack") as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/api/webhooks/ttn")
async def take(request: Request):
    message = await request.json()
    uplink = message["uplink_message"]
    decoded, reception = uplink["decoded_payload"], uplink["rx_metadata"][0]
    async with app.state.pool.acquire() as connection:
        device = await connection.fetchrow(DEVICE, message["end_device_ids"]["dev_eui"])
        if device is None:
            raise HTTPException(404, "no such device")
        stored = await connection.fetchval(
            INSERT,
            *device,
            datetime.fromisoformat(uplink["received_at"]),
            decoded["TempC_DS"],
            decoded["TempC_SHT"],
            decoded["Hum_SHT"],
            decoded["BatV"],
            reception["rssi"],
            reception["snr"],
            uplink["f_port"],
            uplink.get("f_cnt", 0),
            uplink["session_key_id"],
            base64.b64decode(uplink["frm_payload"]),
        )
    return {"success": True, "status": "stored" if stored else "duplicate", "readingId": stored}
